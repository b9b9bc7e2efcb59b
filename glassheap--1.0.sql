/* glassheap--1.0.sql */
-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION glassheap" to load this file. \quit

CREATE FUNCTION glassheap_tableam_handler(internal)
RETURNS table_am_handler
AS 'MODULE_PATHNAME', 'glassheap_tableam_handler'
LANGUAGE C STRICT;

CREATE ACCESS METHOD glassheap TYPE TABLE HANDLER glassheap_tableam_handler;
COMMENT ON ACCESS METHOD glassheap IS 'heap rebuilt on its own buffer pool';
