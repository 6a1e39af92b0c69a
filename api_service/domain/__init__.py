"""Inventory, availability and queries; standard library only."""
