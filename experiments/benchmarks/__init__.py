"""This project next to what people would use instead, on the same work; `make bench` runs it."""
