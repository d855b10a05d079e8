"""Reports: what people look at; it reads results and knows no engine."""
