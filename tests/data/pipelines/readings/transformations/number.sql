CREATE MATERIALIZED VIEW number_of_readings AS SELECT count(*) AS number FROM readings;
