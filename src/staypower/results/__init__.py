"""How a result shows itself: numbers, blocks of text and tables, pictures, and the base class that ties them together."""
