-- Functions that take bytes get every kind of them: random pages, real pages with random bytes changed.  Any answer and
-- any error of class XX001, 22023 or 22P0x will do; a crash, a hang or an internal error will not.
CREATE TABLE victim (id int, v text, n numeric, fixed char(10), c "char", nm name, ip inet, bits varbit, arr int[]) USING glassheap;
ALTER TABLE victim ALTER v SET STORAGE EXTERNAL;
INSERT INTO victim SELECT i, repeat('v', i * 37 % 3000), CASE WHEN i % 2 = 0 THEN i END, 'f' || i, 'c', 'name' || i,
       '10.0.0.1', B'1011', ARRAY[i, NULL, i] FROM generate_series(1, 60) i;
UPDATE victim SET n = 1 WHERE id % 5 = 0;
DELETE FROM victim WHERE id % 11 = 0;

CREATE FUNCTION random_bytes(n int) RETURNS bytea LANGUAGE sql VOLATILE AS $$
    SELECT decode(string_agg(lpad(to_hex((random() * 255)::int), 2, '0'), ''), 'hex') FROM generate_series(1, n)
$$;
-- Line pointers that lead somewhere make the better fuzz: a plausible header in front of random bytes.
CREATE FUNCTION random_page(seed int) RETURNS bytea LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    page bytea := random_bytes(8192);
    kind int := seed % 4;
    lines int := 1 + (random() * 60)::int;
    at int; len int; state int; word bigint;
BEGIN
    IF kind = 0 THEN RETURN page; END IF;
    page := overlay(page PLACING decode('0000000000000000000000000000', 'hex') FROM 1);
    page := overlay(page PLACING set_byte(set_byte('\x0000', 0, (24 + lines * 4) % 256), 1, (24 + lines * 4) / 256) FROM 13);
    page := overlay(page PLACING '\x0004002004200000'::bytea FROM 15);
    FOR i IN 1 .. lines LOOP
        at := ((random() * 1023)::int * 8) % 8192;
        len := (random() * CASE WHEN kind = 1 THEN 32767 ELSE 300 END)::int;
        state := CASE WHEN random() < 0.8 THEN 1 ELSE (random() * 3)::int END;
        word := at | (state::bigint << 15) | (len::bigint << 17);
        page := overlay(page PLACING decode(lpad(to_hex(word & 255), 2, '0') || lpad(to_hex((word >> 8) & 255), 2, '0')
            || lpad(to_hex((word >> 16) & 255), 2, '0') || lpad(to_hex((word >> 24) & 255), 2, '0'), 'hex') FROM 21 + i * 4);
        -- A header length that passes, sometimes.
        IF kind = 3 AND at + 24 < 8192 THEN
            page := set_byte(page, at + 22, CASE WHEN random() < 0.9 THEN 24 ELSE 32 END);
            page := set_byte(page, at + 18, (random() * 9)::int);
            page := set_byte(page, at + 19, 0);
        END IF;
    END LOOP;
    RETURN page;
END $$;
CREATE FUNCTION damaged_page(times int) RETURNS bytea LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    page bytea := glassheap_get_raw_page('victim', (random() * (pg_relation_size('victim') / 8192 - 1))::int);
BEGIN
    FOR i IN 1 .. times LOOP
        page := set_byte(page, (random() * 8191)::int, (random() * 255)::int);
    END LOOP;
    RETURN page;
END $$;
CREATE FUNCTION feed(page bytea) RETURNS text[] LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    call text;
    states text[] := '{}';
    n bigint;
BEGIN
    FOREACH call IN ARRAY ARRAY[
        'SELECT count(*) FROM glassheap_page_header($1)', 'SELECT count(t_data) FROM glassheap_page_items($1)',
        'SELECT count(*) FROM glassheap_page_item_attrs($1, ''victim'')',
        'SELECT count(*) FROM glassheap_page_item_attrs($1, ''victim'', true)',
        'SELECT length(glassheap_fsm_page_contents($1))', 'SELECT glassheap_page_checksum($1, 7)',
        'SELECT count(glassheap_tuple_data_split(''victim'', t_data, t_infomask, t_infomask2, t_bits)) FROM glassheap_page_items($1)',
        'SELECT count(glassheap_tuple_data_split(''victim'', t_data, t_infomask, t_infomask2, t_bits, true)) FROM glassheap_page_items($1)',
        'SELECT count(f.raw_flags) FROM glassheap_page_items($1), glassheap_tuple_infomask_flags(t_infomask, t_infomask2) f']
    LOOP
        BEGIN
            EXECUTE call INTO n USING page;
        EXCEPTION WHEN OTHERS THEN
            states := states || SQLSTATE::text;
        END;
    END LOOP;
    RETURN states;
END $$;

SELECT setseed(0.4711);
SELECT DISTINCT left(state, 2) || CASE WHEN state IN ('XX001', '22023', '22004') THEN ' fitting' ELSE ' ' || state END AS outcome
  FROM generate_series(1, 400) i, LATERAL (SELECT random_page(i) AS page OFFSET 0) p, LATERAL unnest(feed(p.page)) state
 ORDER BY 1;
SELECT DISTINCT left(state, 2) || CASE WHEN state IN ('XX001', '22023', '22004') THEN ' fitting' ELSE ' ' || state END AS outcome
  FROM generate_series(1, 400) i, LATERAL (SELECT damaged_page(1 + i % 40) AS page OFFSET 0) p, LATERAL unnest(feed(p.page)) state
 ORDER BY 1;
-- Tuple bytes of any length.
CREATE FUNCTION feed_tuple(bytes bytea, mask int, atts int) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM glassheap_tuple_data_split('victim', bytes, mask & 65534, atts, NULL, true);
    RETURN 'answered';
EXCEPTION WHEN OTHERS THEN
    RETURN CASE WHEN SQLSTATE = 'XX001' THEN 'refused' ELSE SQLSTATE || ' ' || SQLERRM END;
END $$;
SELECT DISTINCT feed_tuple(random_bytes(i % 150 + 1), (random() * 65535)::int, (random() * 9)::int) AS outcome
  FROM generate_series(1, 2000) i ORDER BY 1;
-- Still there, and undamaged.
SELECT count(*) FROM victim;
SELECT * FROM glassheap_verify('victim', check_toast => true);
DROP TABLE victim;
DROP FUNCTION random_bytes(int), random_page(int), damaged_page(int), feed(bytea), feed_tuple(bytea, int, int);
