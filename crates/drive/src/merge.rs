//! Pure rules: which heads remain, which is shown, what a conflict is called. No tables, no clocks, no I/O.
