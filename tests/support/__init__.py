"""What the tests share: models, libraries, servers, oracles and hostile inputs."""
