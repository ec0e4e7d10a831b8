-- migrate:up

-- Live indexes from gap_from to gap_to may have no owner, since a loss: the head passes them at once. Written down, or
-- a second loss would make the line wait for people who never were.
alter table line_lanes
    add column gap_from bigint not null default 0,
    add column gap_to   bigint not null default 0;

-- migrate:down

alter table line_lanes drop column gap_to, drop column gap_from;
