// Reads the SQL endpoint the way the Grafana data source does: clickhouse-go, protocol HTTP, Native format.
// Usage: go run . host:port; prints one "<compression> ok" line per compression, exits 1 at the first fault.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

func check(addr string, method clickhouse.CompressionMethod) error {
	ctx := context.Background()
	db := clickhouse.OpenDB(&clickhouse.Options{
		Addr:        []string{addr},
		Protocol:    clickhouse.HTTP,
		Auth:        clickhouse.Auth{Database: "custody", Username: "reader"},
		Compression: &clickhouse.Compression{Method: method},
		Settings:    clickhouse.Settings{"max_execution_time": 30},
		ReadTimeout: 30 * time.Second,
	})
	defer db.Close()
	if err := db.PingContext(ctx); err != nil {
		return fmt.Errorf("ping: %w", err)
	}

	var count uint64
	var version, zone string
	row := db.QueryRowContext(ctx, "SELECT count(), version(), timezone() FROM entries")
	if err := row.Scan(&count, &version, &zone); err != nil {
		return fmt.Errorf("first query: %w", err)
	}
	if count != 1000 || version == "" || zone == "" {
		return fmt.Errorf("first query: %d %q %q", count, version, zone)
	}

	rows, err := db.QueryContext(ctx, `SELECT number, toString(number), toDateTime64('2026-01-02 03:04:05.678', 3, 'UTC'),
		[number, 1], map('a', number), if(number % 2 = 0, NULL, number), toLowCardinality('low') FROM numbers(200000)`)
	if err != nil {
		return fmt.Errorf("stream: %w", err)
	}
	defer rows.Close()
	var seen, sum uint64
	for rows.Next() {
		var number uint64
		var text, low string
		var at time.Time
		var list []uint64
		var pairs map[string]uint64
		var odd *uint64
		if err := rows.Scan(&number, &text, &at, &list, &pairs, &odd, &low); err != nil {
			return fmt.Errorf("scan: %w", err)
		}
		if text != fmt.Sprint(number) || at.UnixMilli() != 1767323045678 || list[0] != number || pairs["a"] != number ||
			(odd == nil) != (number%2 == 0) || low != "low" {
			return fmt.Errorf("row %d: %q %v %v %v %v %q", number, text, at, list, pairs, odd, low)
		}
		seen++
		sum += number
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("stream: %w", err)
	}
	if seen != 200000 || sum != 200000*199999/2 {
		return fmt.Errorf("stream: %d rows, sum %d", seen, sum)
	}

	var bound string
	value := "it's\ta \\ \"test\""
	if err := db.QueryRowContext(ctx, "SELECT {v:String}", clickhouse.Named("v", value)).Scan(&bound); err != nil {
		return fmt.Errorf("bind: %w", err)
	}
	if bound != value {
		return fmt.Errorf("bind: %q", bound)
	}

	empty, err := db.QueryContext(ctx, "SELECT seq FROM entries WHERE seq > 5000")
	if err != nil {
		return fmt.Errorf("empty: %w", err)
	}
	if empty.Next() || empty.Err() != nil {
		return fmt.Errorf("empty: a row or an error: %v", empty.Err())
	}

	_, err = db.QueryContext(ctx, "SELECT * FROM nothing")
	var exception *clickhouse.Exception
	if err == nil || (errors.As(err, &exception) && exception.Code != 60) {
		return fmt.Errorf("unknown table: %v", err)
	}
	if _, err = db.ExecContext(ctx, "INSERT INTO entries VALUES (1, 'x')"); err == nil {
		return errors.New("insert: no error")
	}
	return nil
}

func main() {
	methods := []struct {
		name   string
		method clickhouse.CompressionMethod
	}{
		{"none", clickhouse.CompressionNone},
		{"lz4", clickhouse.CompressionLZ4},
		{"zstd", clickhouse.CompressionZSTD},
		{"gzip", clickhouse.CompressionGZIP},
		{"deflate", clickhouse.CompressionDeflate},
		{"br", clickhouse.CompressionBrotli},
	}
	for _, m := range methods {
		if err := check(os.Args[1], m.method); err != nil {
			fmt.Printf("%s: %v\n", m.name, err)
			os.Exit(1)
		}
		fmt.Println(m.name, "ok")
	}
}
