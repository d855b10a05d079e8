"""The problem: rows, folds, scores of rows, and what a model says of rows."""

from multihop_search.problem.responses import response_table
from multihop_search.problem.row_scores import Accuracy, FlooredLogLoss, RowScoring
from multihop_search.problem.table_files import left_out_columns, read_frame

__all__ = ["Accuracy", "FlooredLogLoss", "RowScoring", "left_out_columns", "read_frame", "response_table"]
