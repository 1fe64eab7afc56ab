"""Studies, jobs, results and readings (SQL), and the arrays beside them."""
