"""Facts: accelerators, links, engines, formats, models, prices. Data in `data`, each number with its source; no formulas."""
