"""The study: what helps against overfitting, by how much, and how sure."""
