DROP TABLE fleet_counters, workers;
