"""Notebooks: what a portfolio holds, and how its champion came about."""
