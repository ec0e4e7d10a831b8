-- migrate:up

-- What the beacon said in the round that a draw's rules named, so that everybody can compare it with the beacon.
alter table line_sales
    add column beacon_randomness bytea,
    add column beacon_signature  bytea;

-- migrate:down

alter table line_sales drop column beacon_randomness, drop column beacon_signature;
