-- tools/demo/schema.sql: the package index as tables; AM stands for the access method.
CREATE TABLE section (
    name     text PRIMARY KEY,
    packages int NOT NULL
) USING AM;

CREATE TABLE maintainer (
    id   int PRIMARY KEY,
    name text NOT NULL UNIQUE
) USING AM;

CREATE TABLE package (
    id             int PRIMARY KEY,
    name           text NOT NULL,
    version        text NOT NULL,
    architecture   text NOT NULL,
    section        text NOT NULL REFERENCES section,
    priority       text NOT NULL,
    maintainer_id  int NOT NULL REFERENCES maintainer,
    installed_kb   bigint NOT NULL,
    download_bytes bigint NOT NULL,
    homepage       text,
    description    text NOT NULL,
    installs       int NOT NULL DEFAULT 0,
    words          tsvector GENERATED ALWAYS AS (to_tsvector('simple', description)) STORED,
    UNIQUE (name, version, architecture)
) USING AM WITH (fillfactor = 90);

CREATE TABLE dependency (
    package_id  int NOT NULL REFERENCES package,
    kind        text NOT NULL,
    group_no    int NOT NULL,
    alternative int NOT NULL,
    target      text NOT NULL,
    "constraint" text,
    target_id   int REFERENCES package,
    PRIMARY KEY (package_id, kind, group_no, alternative)
) USING AM;

CREATE TABLE installation (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    package_id int NOT NULL REFERENCES package,
    at         timestamptz NOT NULL DEFAULT clock_timestamp()
) USING AM;
