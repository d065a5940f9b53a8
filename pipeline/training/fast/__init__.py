"""Code that exists for speed alone: how graphs are compiled, and random bits and losses that compile well."""
