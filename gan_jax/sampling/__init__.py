"""Samples and translations of trained players."""
