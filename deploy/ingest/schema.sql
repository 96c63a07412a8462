-- The tables of deploy/ingest. May be run again and again: `ingest.py ingest.toml --init` does it.

CREATE TABLE IF NOT EXISTS shelf_event (
    site text NOT NULL,
    device text NOT NULL,
    epoch text NOT NULL,            -- the random id of the device's outbox
    seq bigint NOT NULL,            -- counts up without gaps within an epoch
    type text NOT NULL,             -- counts, low_stock, …, dropped: see docs/mqtt.md
    shelf text,
    ts timestamptz,                 -- when it happened, by the device's clock
    historical boolean NOT NULL,    -- sent late
    body jsonb NOT NULL,            -- the whole payload
    received_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (site, device, epoch, seq)
);
CREATE INDEX IF NOT EXISTS shelf_event_shelf_ts ON shelf_event (site, device, shelf, ts);

-- What a device had to drop, as it reported itself: these events will not come.
CREATE TABLE IF NOT EXISTS shelf_dropped (
    site text NOT NULL,
    device text NOT NULL,
    epoch text NOT NULL,
    from_seq bigint NOT NULL,
    to_seq bigint NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (site, device, epoch, from_seq, to_seq)
);

-- How far each device's events are here without a gap: what is acknowledged to it.
CREATE TABLE IF NOT EXISTS shelf_watermark (
    site text NOT NULL,
    device text NOT NULL,
    epoch text NOT NULL,
    seq bigint NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (site, device, epoch)
);

-- Messages that are no events, and why. They are acknowledged: sent again they would be no better.
CREATE TABLE IF NOT EXISTS shelf_rejected (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic text NOT NULL,
    payload bytea NOT NULL,         -- its first 64 KiB
    reason text NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now()
);

-- Move the watermark of a device as far as its events are here, and return it. `_floor`: nothing below it will come.
-- Any number of ingests may call it at once: each does so after its own commit, and waits for the others at the row, so
-- whoever comes last sees the events of all.
CREATE OR REPLACE FUNCTION shelf_advance(_site text, _device text, _epoch text, _floor bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    was bigint;
    mark bigint;
    upto bigint;
BEGIN
    INSERT INTO shelf_watermark (site, device, epoch, seq) VALUES (_site, _device, _epoch, 0) ON CONFLICT DO NOTHING;
    SELECT seq INTO was FROM shelf_watermark WHERE site = _site AND device = _device AND epoch = _epoch FOR UPDATE;
    mark := greatest(was, _floor);
    LOOP
        SELECT max(seq) INTO upto FROM (
            SELECT seq, row_number() OVER (ORDER BY seq) AS nth FROM (
                SELECT seq FROM shelf_event
                WHERE site = _site AND device = _device AND epoch = _epoch AND seq > mark ORDER BY seq LIMIT 1000
            ) AS beyond
        ) AS numbered WHERE seq = mark + nth;
        IF upto IS NULL THEN
            SELECT max(to_seq) INTO upto FROM shelf_dropped
            WHERE site = _site AND device = _device AND epoch = _epoch AND from_seq <= mark + 1 AND to_seq > mark;
        END IF;
        EXIT WHEN upto IS NULL;
        mark := upto;
    END LOOP;
    IF mark > was THEN
        UPDATE shelf_watermark SET seq = mark, updated_at = now()
        WHERE site = _site AND device = _device AND epoch = _epoch;
    END IF;
    RETURN mark;
END
$$;
