package redis

import (
	"context"
	"crypto/sha1"
	_ "embed"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"

	"github.com/redis/rueidis"
)

// script is a Lua script. In a cluster, each call of one touches one slot only.
type script struct {
	text, sha string
	reads     bool // and changes nothing, so that it may be tried again
}

func newScript(text string) *script {
	sum := sha1.Sum([]byte(text))
	return &script{text: text, sha: hex.EncodeToString(sum[:])}
}

func newReadScript(text string) *script {
	s := newScript(text)
	s.reads = true
	return s
}

var (
	//go:embed scripts/append.lua
	appendText string
	//go:embed scripts/epoch.lua
	epochText string // part of those that begin epochs
	//go:embed scripts/check.lua
	checkText   string
	checkScript = newScript(strings.ReplaceAll(checkText, "{epoch}", epochText))
	//go:embed scripts/read.lua
	readText   string
	readScript = newReadScript(readText)
	//go:embed scripts/hint.lua
	hintText   string
	hintScript = newScript(hintText)
	//go:embed scripts/touch.lua
	touchText   string
	touchScript = newScript(touchText)
	//go:embed scripts/recent.lua
	recentText   string
	recentScript = newReadScript(recentText)
	//go:embed scripts/claim.lua
	claimText   string
	claimScript = newScript(claimText)
	//go:embed scripts/unclaim.lua
	unclaimText   string
	unclaimScript = newScript(unclaimText)
	//go:embed scripts/user.lua
	userText   string
	userScript = newScript(userText)
	//go:embed scripts/place.lua
	placeText   string
	placeScript = newScript(placeText)
	//go:embed scripts/online.lua
	onlineText   string
	onlineScript = newScript(onlineText)
	//go:embed scripts/pulse.lua
	pulseText   string
	pulseScript = newScript(pulseText)
	//go:embed scripts/buried.lua
	buriedText   string
	buriedScript = newScript(buriedText)
	//go:embed scripts/member.lua
	memberText   string
	memberScript = newScript(memberText)
	//go:embed scripts/session.lua
	sessionText   string
	sessionScript = newScript(sessionText)
	//go:embed scripts/tell.lua
	tellText string // begins those that tell all nodes something
	//go:embed scripts/ban.lua
	banText   string
	banScript = newScript(tellText + banText)
	//go:embed scripts/rebans.lua
	rebansText   string
	rebansScript = newScript(tellText + rebansText)
	//go:embed scripts/control.lua
	controlText   string
	controlScript = newScript(tellText + controlText)
)

// newAppendScript makes the script of appends, which has the settings in its text.
func newAppendScript(cfg *Config) *script {
	return newScript(strings.NewReplacer(
		"{lifetime}", strconv.FormatInt(cfg.RefLifetime.Milliseconds(), 10),
		"{messages}", strconv.Itoa(cfg.Messages),
		"{age}", strconv.FormatInt(cfg.Age.Milliseconds(), 10),
		"{tell}", strconv.FormatBool(cfg.Ack.Replicas == 0),
		"{epoch}", epochText,
	).Replace(appendText))
}

// errReply says that a reply does not have the form that it must have.
var errReply = errors.New("chat/redis: a reply of Redis has another form than expected")

// call is one execution of a script.
type call struct {
	keys, args []string
}

// doer is a client, or one connection of it.
type doer interface {
	B() rueidis.Builder
	Do(context.Context, rueidis.Completed) rueidis.RedisResult
	DoMulti(context.Context, ...rueidis.Completed) []rueidis.RedisResult
}

func (s *script) evalsha(d doer, c call) rueidis.Completed {
	return d.B().Evalsha().Sha1(s.sha).Numkeys(int64(len(c.keys))).Key(c.keys...).Arg(c.args...).Build()
}

func (s *script) eval(d doer, c call) rueidis.Completed {
	return d.B().Eval().Script(s.text).Numkeys(int64(len(c.keys))).Key(c.keys...).Arg(c.args...).Build()
}

func noScript(r rueidis.RedisResult) bool {
	err, ok := rueidis.IsRedisErr(r.Error())
	return ok && err.IsNoScript()
}

// runAll executes a script for each of the calls, in a pipeline. A server that does not have it
// is sent its text, in another pipeline: after a restart or a failover.
func (s *script) runAll(ctx context.Context, d doer, calls []call) []rueidis.RedisResult {
	cmds := make(rueidis.Commands, len(calls))
	for i, c := range calls {
		cmds[i] = s.evalsha(d, c)
	}
	results := d.DoMulti(ctx, cmds...)
	var missing []int
	for i := range results {
		if noScript(results[i]) {
			missing = append(missing, i)
		}
	}
	if len(missing) == 0 {
		return results
	}
	cmds = cmds[:0]
	for _, i := range missing {
		cmds = append(cmds, s.eval(d, calls[i]))
	}
	for k, r := range d.DoMulti(ctx, cmds...) {
		results[missing[k]] = r
	}
	return results
}

func (s *script) run(ctx context.Context, d doer, c call) rueidis.RedisResult {
	for try := 0; ; try++ {
		r := d.Do(ctx, s.evalsha(d, c))
		if noScript(r) {
			r = d.Do(ctx, s.eval(d, c))
		}
		if !s.reads || !broken(r.Error()) || try == maxBroken {
			return r
		}
	}
}

// maxBroken is how often what only reads is tried again where a connection was closed: after a
// restart of the server, each connection of the client may meet that once.
const maxBroken = 4
