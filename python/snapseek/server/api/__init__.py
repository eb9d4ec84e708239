"""The JSON endpoints and their OpenAPI document."""
