"""Shared by the tests: models, libraries, servers, oracles and hostile inputs."""
