"""The face: the two estimators, and the objective for a study of the user's own. They check, delegate and store."""
