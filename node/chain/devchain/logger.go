package devchain

import (
	"context"
	"log/slog"
	"slices"
	"sync/atomic"

	cmtlog "github.com/cometbft/cometbft/libs/log"
)

// logger hands CometBFT's log to slog: its Error as a warning, since most of
// them are a peer that went away, its Info as Debug, its Debug not at all.
// Fields are formatted only when a line is written: CometBFT makes loggers
// with fields all the time.
type logger struct {
	to     *slog.Logger
	fields []any
	quiet  *atomic.Bool // set while stopping, when everything complains
}

var _ cmtlog.Logger = logger{}

func (l logger) Debug(string, ...any) {}

func (l logger) Info(msg string, keyvals ...any) { l.log(slog.LevelDebug, msg, keyvals) }

func (l logger) Error(msg string, keyvals ...any) { l.log(slog.LevelWarn, msg, keyvals) }

func (l logger) With(keyvals ...any) cmtlog.Logger {
	l.fields = slices.Concat(l.fields, keyvals)
	return l
}

func (l logger) log(level slog.Level, msg string, keyvals []any) {
	if !l.quiet.Load() && l.to.Enabled(context.Background(), level) {
		l.to.With(l.fields...).Log(context.Background(), level, msg, keyvals...)
	}
}
