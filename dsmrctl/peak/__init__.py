"""Quarter-hour demand by the month and the year: forecasts, scenarios, and what it costs."""
