"""From a source to prepared rows: reading, kinds of columns, targets, splits, preprocessing."""
