"""From a task to an answer: candidates, evidence, meta-model, votes, and the record of all of it."""
