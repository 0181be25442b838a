"""Deep methods: objectives of losses only, one training loop, estimators around both. Needs transfermap[deep]."""
