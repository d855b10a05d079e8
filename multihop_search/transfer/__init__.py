"""Transfer: schemes, the transfer sets that they make, and how a model is fitted to one."""
