//go:build ignore

// Command cluster runs three nodes of bin/hawser on this machine, with a Redis that they share
// and nginx in front of them, until Ctrl-C. Run it as "make cluster". Its files are in a
// temporary folder, and gone afterwards.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	nodes    = 3
	settings = "cmd/hawser/cluster/"

	startTime = time.Minute
	stopTime  = 15 * time.Second
)

func main() {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	dir, err := os.MkdirTemp("", "hawser-cluster-")
	if err != nil {
		fail(err)
	}
	c := &cluster{dir: dir, ended: make(chan *process, nodes+2)}
	err = c.run(stop)
	c.stop()
	os.RemoveAll(dir)
	if err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "cluster:", err)
	os.Exit(1)
}

// cluster is what runs.
type cluster struct {
	dir          string
	redis, nginx *process
	nodes        []*process
	ended        chan *process

	mu       sync.Mutex
	all      []*process // Guarded by mu.
	stopping bool       // Guarded by mu.
}

// run starts everything, and returns when it is told to stop, or when nothing is left that could
// be of use.
func (c *cluster) run(stop <-chan os.Signal) error {
	addresses, err := freeAddresses(nodes + 2)
	if err != nil {
		return err
	}
	redis, front, each := addresses[0], addresses[1], addresses[2:]
	started := make(chan error, 1)
	go func() { started <- c.start(redis, front, each) }()
	select {
	case <-stop:
		return nil
	case err := <-started:
		if err != nil {
			return err
		}
	}
	fmt.Printf("\n  the chat, through nginx:  http://%s/\n\n", front)
	for i, address := range each {
		fmt.Printf("  node %d by itself:         http://%s/  (process %d)\n", i+1, address, c.nodes[i].cmd.Process.Pid)
	}
	_, port, _ := net.SplitHostPort(redis)
	fmt.Printf("  Redis:                    redis-cli -p %s  (process %d)\n\nKill a node, and the others go on. Ctrl-C ends everything.\n", port, c.redis.cmd.Process.Pid)
	left := nodes
	for {
		select {
		case <-stop:
			fmt.Println("cluster: stopping")
			return nil
		case p := <-c.ended:
			fmt.Printf("cluster: %s has ended: %v\n", p.name, p.cmd.ProcessState)
			if slices.Contains(c.nodes, p) {
				left--
			}
			if left == 0 || p == c.nginx {
				return errors.New("there is nothing left to connect to")
			}
		}
	}
}

func (c *cluster) start(redis, front string, each []string) (err error) {
	if c.redis, err = c.startRedis(redis); err != nil {
		return err
	}
	key := filepath.Join(c.dir, "token.key")
	if out, err := exec.Command("bin/hawser", "new-key", key).CombinedOutput(); err != nil {
		return fmt.Errorf("hawser new-key: %w\n%s", err, out)
	}
	for i, address := range each {
		node, err := c.startNode(i, address, front, redis, key)
		if err != nil {
			return err
		}
		c.nodes = append(c.nodes, node)
	}
	for i, address := range each {
		if err := c.nodes[i].await("/readyz", address); err != nil {
			return err
		}
	}
	if c.nginx, err = c.startNginx(front, each); err != nil {
		return err
	}
	return c.nginx.await("/readyz", front)
}

// startRedis starts a server with the settings that are shipped.
func (c *cluster) startRedis(address string) (*process, error) {
	name, err := exec.LookPath("redis-server")
	if err != nil {
		if name, err = exec.LookPath("valkey-server"); err != nil {
			return nil, errors.New("there is no redis-server; \"make tools\" installs it")
		}
	}
	_, port, _ := net.SplitHostPort(address)
	p, err := c.spawn("Redis", name, settings+"redis.conf", "--port", port, "--bind", "127.0.0.1", "--dir", c.dir, "--loglevel", "warning", "--maxmemory", "256mb")
	if err != nil {
		return nil, err
	}
	return p, p.poll("PONG", func() (string, error) {
		nc, err := net.Dial("tcp", address)
		if err != nil {
			return "", err
		}
		defer nc.Close()
		nc.SetDeadline(time.Now().Add(time.Second))
		io.WriteString(nc, "PING\r\n")
		return bufio.NewReader(nc).ReadString('\n')
	})
}

func (c *cluster) startNode(i int, address, front, redis, key string) (*process, error) {
	_, port, _ := net.SplitHostPort(front)
	_, own, _ := net.SplitHostPort(address)
	return c.spawn(fmt.Sprint("node ", i+1), "bin/hawser", "serve", "--listen", address, "--redis", "redis://"+redis, "--token-key-file", key,
		"--public-origins", fmt.Sprintf("http://127.0.0.1:%[1]s,http://localhost:%[1]s,http://127.0.0.1:%[2]s,http://localhost:%[2]s", port, own),
		"--trusted-proxies", "127.0.0.1", "--forwarded-header", "x-forwarded-for")
}

// startNginx starts a load balancer with the settings that are shipped, but for addresses and
// paths. Its answers say which node they come from.
func (c *cluster) startNginx(front string, each []string) (*process, error) {
	name, err := exec.LookPath("nginx")
	if err != nil {
		if name, err = exec.LookPath("/usr/sbin/nginx"); err != nil {
			return nil, errors.New("there is no nginx; \"make tools\" installs it")
		}
	}
	shipped, err := os.ReadFile(settings + "nginx.conf")
	if err != nil {
		return nil, err
	}
	conf := string(shipped)
	edits := []string{
		"worker_processes auto;", "daemon off;\nmaster_process off;\npid nginx.pid;\nerror_log stderr warn;",
		"worker_rlimit_nofile 200000;", "",
		"worker_connections 100000;", "worker_connections 1000;",
		"access_log off;", "access_log off;\n\tclient_body_temp_path body;\n\tproxy_temp_path proxy;\n\tfastcgi_temp_path fastcgi;\n\tuwsgi_temp_path uwsgi;\n\tscgi_temp_path scgi;",
		"listen 8000 ", "listen " + front + " ",
		"location / {", "add_header X-Node $upstream_addr always;\n\t\tlocation / {",
	}
	for i, address := range each {
		edits = append(edits, fmt.Sprintf("server hawser%d:8080 ", i+1), "server "+address+" ")
	}
	for pair := range slices.Chunk(edits, 2) {
		if strings.Count(conf, pair[0]) != 1 {
			return nil, fmt.Errorf("%snginx.conf does not have %q once", settings, pair[0])
		}
		conf = strings.Replace(conf, pair[0], pair[1], 1)
	}
	file := filepath.Join(c.dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		return nil, err
	}
	return c.spawn("nginx", name, "-p", c.dir, "-c", file, "-e", "stderr")
}

// stop ends everything in an order in which nobody misses anything: clients hear from their
// nodes that these stop.
func (c *cluster) stop() {
	c.mu.Lock()
	c.stopping = true
	all := c.all
	c.mu.Unlock()
	for _, name := range []string{"node", "nginx", "Redis"} {
		end(slices.DeleteFunc(slices.Clone(all), func(p *process) bool { return !strings.HasPrefix(p.name, name) }))
	}
}

func end(processes []*process) {
	for _, p := range processes {
		p.cmd.Process.Signal(syscall.SIGTERM)
	}
	deadline := time.After(stopTime)
	for _, p := range processes {
		select {
		case <-p.dead:
		case <-deadline:
			p.cmd.Process.Kill()
			<-p.dead
		}
	}
}

// process is a program that runs. Its output goes to ours, each line with its name.
type process struct {
	name string
	cmd  *exec.Cmd
	dead chan struct{} // closed when it has ended
}

func (c *cluster) spawn(name, program string, args ...string) (*process, error) {
	p := &process{name: name, cmd: exec.Command(program, args...), dead: make(chan struct{})}
	for _, pair := range os.Environ() { // a setting that somebody has made for one server is not for these
		if !strings.HasPrefix(pair, "HAWSER_") {
			p.cmd.Env = append(p.cmd.Env, pair)
		}
	}
	// A Ctrl-C is for this program alone. Nothing stays when it is killed.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p.cmd.Stdout, p.cmd.Stderr = w, w
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopping {
		return nil, errors.New("stopping")
	}
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // Pdeathsig is about the thread
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		w.Close()
		started <- err
		if err == nil {
			copyLines(name, r)
			p.cmd.Wait()
			close(p.dead)
			c.ended <- p
		}
		r.Close()
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	c.all = append(c.all, p)
	return p, nil
}

var output sync.Mutex

func copyLines(name string, r io.Reader) {
	for lines := bufio.NewScanner(r); lines.Scan(); {
		output.Lock()
		fmt.Printf("%-6s | %s\n", name, lines.Text())
		output.Unlock()
	}
}

// await waits until a GET is answered with 200.
func (p *process) await(path, address string) error {
	return p.poll("200", func() (string, error) {
		resp, err := http.Get("http://" + address + path)
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		return resp.Status, nil
	})
}

// poll waits until an answer contains what is wanted.
func (p *process) poll(want string, ask func() (string, error)) error {
	for deadline := time.Now().Add(startTime); ; time.Sleep(20 * time.Millisecond) {
		answer, err := ask()
		if err == nil && strings.Contains(answer, want) {
			return nil
		}
		select {
		case <-p.dead:
			return fmt.Errorf("%s has ended: %v", p.name, p.cmd.ProcessState)
		default:
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s is not ready after %v: %s %v", p.name, startTime, strings.TrimSpace(answer), err)
		}
	}
}

// freeAddresses returns addresses of this machine's on which nothing listens, on ports that
// systems give to no connection.
func freeAddresses(n int) (list []string, err error) {
	for range 1000 {
		address := fmt.Sprint("127.0.0.1:", 12000+rand.IntN(20000))
		if l, err := net.Listen("tcp", address); err == nil {
			defer l.Close() // so that it is not found again
			if list = append(list, address); len(list) == n {
				return list, nil
			}
		}
	}
	return nil, errors.New("there are no free ports")
}
