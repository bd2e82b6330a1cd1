"""One small whole data directory: system_schema and three keyspaces, with all that a live node leaves in it."""

import os
import shutil

from golden import GOLDEN, READ_NOW, Node, write_answers

STATEMENTS = """
CREATE KEYSPACE shop WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}
CREATE TYPE shop.address (street text, city text, zip int)
CREATE TYPE shop.contact (phone text, home frozen<address>)
CREATE TABLE shop.customers (id int PRIMARY KEY, name text, contact frozen<contact>, tags set<text>, old text)
CREATE INDEX customers_by_name ON shop.customers (name)
CREATE TABLE shop.orders (customer int, placed timestamp, item text, status text static, price decimal, PRIMARY KEY (customer, placed, item)) WITH CLUSTERING ORDER BY (placed DESC, item ASC)
CREATE MATERIALIZED VIEW shop.orders_by_item AS SELECT customer, placed, item, price FROM shop.orders WHERE customer IS NOT NULL AND placed IS NOT NULL AND item IS NOT NULL PRIMARY KEY (item, customer, placed)
CREATE KEYSPACE metrics WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1} AND durable_writes = false
CREATE TABLE metrics.hits (page text PRIMARY KEY, n counter)
CREATE TABLE metrics.samples (sensor text, day date, at time, value double, PRIMARY KEY ((sensor, day), at)) WITH compression = {'enabled': false} AND comment = 'readings; one a minute'
CREATE KEYSPACE "Mixed" WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}
CREATE TABLE "Mixed"."Table" ("Key" int PRIMARY KEY, "select" text)
""".strip().splitlines()

SYSTEM_TABLES = ("keyspaces", "tables", "columns", "types", "indexes", "views", "dropped_columns")

QUESTIONS = (
    "SELECT JSON * FROM shop.customers", "SELECT JSON * FROM shop.customers WHERE id = 2", "SELECT JSON contact.home.city FROM shop.customers WHERE id = 1",
    "SELECT JSON * FROM shop.orders", "SELECT JSON item, price FROM shop.orders WHERE customer = 1 AND placed > '2023-11-02'", "SELECT JSON DISTINCT customer, status FROM shop.orders",
    "SELECT JSON * FROM shop.orders_by_item WHERE item = 'apple'", "SELECT JSON * FROM metrics.hits", "SELECT JSON * FROM metrics.samples WHERE sensor = 's1' AND day = '2023-11-14' AND at >= '12:00:00'",
    "SELECT JSON count(*) FROM metrics.samples", "SELECT JSON * FROM \"Mixed\".\"Table\"", "SELECT JSON * FROM shop.no_such_table",
    "SELECT JSON keyspace_name, durable_writes FROM system_schema.keyspaces WHERE keyspace_name IN ('shop', 'metrics')", "SELECT JSON type_name, field_names, field_types FROM system_schema.types WHERE keyspace_name = 'shop'",
    "SELECT JSON column_name, kind, position, type, clustering_order FROM system_schema.columns WHERE keyspace_name = 'shop' AND table_name = 'orders'",
    "SELECT JSON table_name, column_name, kind, type FROM system_schema.dropped_columns WHERE keyspace_name = 'shop'", "SELECT JSON table_name, index_name, options FROM system_schema.indexes WHERE keyspace_name = 'shop'",
)


def make(version):
    node = Node(version, ulids=True, keyspace=None)

    def flush(*names):
        for name in names:
            keyspace, table = name.split(".")
            node.do("flush", keyspace=keyspace, table=table)

    def flush_schema():
        flush(*(f"system_schema.{t}" for t in SYSTEM_TABLES))
    for q in STATEMENTS:
        node.cql(q)
    flush_schema()
    for q in ("INSERT INTO shop.customers (id, name, contact, tags, old) VALUES (1, 'Ann', {phone: '1', home: {street: 'High', city: 'Oslo', zip: 10}}, {'a', 'b'}, 'x')",
              "INSERT INTO shop.customers (id, name, old) VALUES (2, 'Bob', 'y')",
              "INSERT INTO shop.orders (customer, placed, item, status, price) VALUES (1, '2023-11-01', 'apple', 'gold', 1.50)",
              "INSERT INTO shop.orders (customer, placed, item, price) VALUES (1, '2023-11-03', 'pear', 2)",
              "INSERT INTO shop.orders (customer, placed, item, price) VALUES (2, '2023-11-02', 'apple', 1.25)"):
        node.cql(q)
    flush("shop.customers", "shop.orders", "shop.orders_by_item")
    node.do("snapshot", keyspace="shop", table="customers", tag="before_drop")
    node.cql(f"ALTER TABLE shop.customers DROP old USING TIMESTAMP {1_700_000_001_000_000}")
    node.cql("ALTER TYPE shop.address ADD country text")
    flush_schema()
    node.do("incremental_backups", value=True)
    for q in ("INSERT INTO shop.customers (id, name, contact) VALUES (3, 'Cid', {home: {city: 'Rome', country: 'IT'}})", "UPDATE shop.customers SET tags = tags - {'a'} WHERE id = 1",
              "INSERT INTO shop.orders (customer, placed, item, price) VALUES (1, '2023-11-04', 'apple', 3)", "DELETE FROM shop.orders WHERE customer = 2",
              "INSERT INTO \"Mixed\".\"Table\" (\"Key\", \"select\") VALUES (1, 'one')"):
        node.cql(q)
    for minute in range(20):
        node.cql(f"INSERT INTO metrics.samples (sensor, day, at, value) VALUES ('s{minute % 2}', '2023-11-14', '{10 + minute // 4}:{minute % 4}0:00', {minute}.5)")
    for page in ("/", "/about", "/"):
        node.do("cql", q=f"UPDATE metrics.hits SET n = n + 1 WHERE page = '{page}'")
    flush("shop.customers", "shop.orders", "shop.orders_by_item", "metrics.hits", "metrics.samples", "Mixed.Table")
    node.do("incremental_backups", value=False)
    node.do("snapshot", keyspace="shop", table="orders", tag="all")

    out = os.path.join(GOLDEN, version, "data")
    shutil.rmtree(out, ignore_errors=True)
    for keyspace in ("system_schema", "shop", "metrics", "Mixed"):
        for folder, _, files in os.walk(os.path.join(node.home, "data", keyspace)):
            target = os.path.join(out, os.path.relpath(folder, os.path.join(node.home, "data")))
            for name in files:
                os.makedirs(target, exist_ok=True)
                shutil.copyfile(os.path.join(folder, name), os.path.join(target, name))
    with open(os.path.join(GOLDEN, version, "data.now"), "w") as f:
        f.write(f"{READ_NOW}\n")
    asked = write_answers(node, QUESTIONS, os.path.join(GOLDEN, version, "data.answers.jsonl"))
    node.stop()
    return asked
