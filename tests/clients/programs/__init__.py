"""What a user of each client might write. Run by the client's own interpreter, each says what it saw as JSON."""
