"""From a table or small images to a trained, tracked and evaluated MLP, one stage a file."""
