"""The network, its optimizers and schedules, the trainer, and what a training leaves."""
