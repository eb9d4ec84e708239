"""The text encoder: tokenizer, text tower, pooling."""
