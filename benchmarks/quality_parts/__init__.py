"""What `benchmarks/quality.py` is made of: data, students, rivals, our searches, measures, the record and the page."""
