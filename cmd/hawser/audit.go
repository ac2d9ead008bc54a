package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/cmd/hawser/internal/adminapi"
	"github.com/hawser-ws/hawser/cmd/hawser/internal/audit"
)

// openAudit opens the audit log, and checks what else is about acts of administrators.
func (a *app) openAudit() (err error) {
	if a.protected, err = adminapi.Protect(a.cfg.TrustedProxies, a.cfg.Bans.Allow); err != nil {
		return err
	}
	if a.cfg.AdminKeysFile != "" {
		if _, err := adminapi.ReadKeys(a.cfg.AdminKeysFile); err != nil {
			return fmt.Errorf("admin_keys_file: %w", err)
		}
	}
	if a.cfg.AuditLog == "" {
		a.audit = audit.Log{Log: a.log}
		return nil
	}
	if a.auditFile, err = audit.OpenFile(a.cfg.AuditLog); err != nil {
		return fmt.Errorf("audit_log: %w", err)
	}
	a.audit = a.auditFile
	return nil
}

// reopenAudit opens the audit log under its name, after a rotation.
func (a *app) reopenAudit() {
	if a.auditFile == nil {
		return
	}
	if err := a.auditFile.Reopen(); err != nil {
		a.log.Error("SIGHUP: audit_log cannot be opened again, so nothing that must be recorded there will be done", "error", err)
		return
	}
	a.log.Info("SIGHUP: audit_log is the file of this name", "file", a.cfg.AuditLog)
}

// recordedBans records automatic bans before they are imposed. One that cannot be recorded is
// imposed nevertheless: a full disk must not be a way to attack the server.
type recordedBans struct {
	chat.Bans
	a *app
}

// Ban implements chat.Bans.
func (r recordedBans) Ban(ctx context.Context, b chat.Ban) error {
	e := audit.Entry{Who: audit.Automatic, What: "ban", Subject: b.Subject(), Reason: b.Reason}
	if b.Until > 0 {
		e.Until = time.UnixMilli(b.Until)
	}
	impose := func(ctx context.Context) error { return r.Bans.Ban(ctx, b) }
	err := audit.Do(ctx, r.a.audit, e, impose)
	var missing *audit.NotRecordedError
	if errors.As(err, &missing) {
		r.a.log.Error("audit_log: an automatic ban could not be recorded", "subject", e.Subject, "reason", e.Reason, "error", missing.Err)
		return impose(ctx)
	}
	return err
}

// adminAPI answers administrators.
func (a *app) adminAPI() http.Handler {
	return adminapi.NewHandler(adminapi.Config{
		KeysFile:  a.cfg.AdminKeysFile,
		Hub:       a.hub,
		Bans:      a.engine.Bans,
		Sessions:  a.engine.Sessions,
		Users:     a.engine.Directory,
		Protected: a.protected,
		Audit:     a.audit,
		Limits:    a.limits,
		Now:       a.engine.Log.Now,
		Monotonic: chat.SystemClock().Monotonic,
		Log:       a.log,
	})
}

// limits are the limits in the configuration, and what they have done.
func (a *app) limits() (limits []adminapi.Limit, err error) {
	effect, err := a.admin.metrics.Effects()
	if err != nil {
		return nil, err
	}
	for _, l := range a.cfg.AllLimits() {
		e := effect(l.Setting)
		limits = append(limits, adminapi.Limit{Setting: l.Setting, Value: l.Value, Refused: e.Refused, Delayed: e.Delayed, Counter: e.Counter})
	}
	return limits, nil
}
