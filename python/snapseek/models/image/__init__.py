"""The image encoder: preprocessing, image tower, execution provider."""
