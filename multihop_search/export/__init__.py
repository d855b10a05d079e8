"""Export: the student leaves as a file that needs none of this package."""
