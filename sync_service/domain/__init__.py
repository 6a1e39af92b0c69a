"""What a poll means; standard library only."""
