CREATE TABLE plain_1_1 (id int);
INSERT INTO plain VALUES (2, current_setting('default_table_access_method'));
