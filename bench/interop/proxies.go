package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// proxy is a reverse proxy between this library's client and its server.
type proxy struct {
	name, path string
	arguments  []string // {config} and {folder} stand for the configuration's path and its folder
	config     string   // {port}: where to listen; {server}: the server's address; {folder}
	version    []string // the arguments that make it write its version
}

func proxies(engine func(name string) string) (all []proxy, missing []string) {
	for _, p := range []proxy{
		{"nginx", "", []string{"-p", "{folder}", "-c", "{config}", "-e", "stderr", "-g", "daemon off; pid nginx.pid; error_log stderr;"}, `events {}
http {
	access_log off;
	client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
	server {
		listen 127.0.0.1:{port};
		location / {
			proxy_pass http://{server};
			proxy_http_version 1.1;
			proxy_set_header Upgrade $http_upgrade;
			proxy_set_header Connection upgrade;
			proxy_set_header Host $http_host;
		}
	}
}
`, []string{"-v"}},
		{"haproxy", "", []string{"-db", "-f", "{config}"}, `defaults
	mode http
	timeout connect 5s
	timeout client 60s
	timeout server 60s
frontend web
	bind 127.0.0.1:{port}
	default_backend app
backend app
	server app {server}
`, []string{"-v"}},
		{"caddy", "", []string{"run", "--adapter", "caddyfile", "--config", "{config}"}, "{\n\tadmin off\n\tauto_https off\n}\nhttp://127.0.0.1:{port} {\n\treverse_proxy {server}\n}\n", []string{"version"}},
	} {
		if p.path = engine(p.name); p.path == "" {
			missing = append(missing, p.name)
			continue
		}
		all = append(all, p)
	}
	return all, missing
}

// start starts p in front of server, and returns its URL when it accepts connections.
func (p proxy) start(ctx context.Context, server string) (url string, stop func(), err error) {
	folder, err := os.MkdirTemp("", "interop")
	if err != nil {
		return "", nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0") // a port that is free
	if err != nil {
		return "", nil, err
	}
	address := l.Addr().String()
	l.Close()
	_, port, _ := net.SplitHostPort(address)
	config := filepath.Join(folder, "config")
	replace := strings.NewReplacer("{folder}", folder, "{config}", config, "{port}", port, "{server}", server)
	if err := os.WriteFile(config, []byte(replace.Replace(p.config)), 0o600); err != nil {
		return "", nil, err
	}
	arguments := make([]string, len(p.arguments))
	for i, a := range p.arguments {
		arguments[i] = replace.Replace(a)
	}
	ctx, cancel := context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, p.path, arguments...)
	cmd.Env = append(os.Environ(), "XDG_DATA_HOME="+folder, "XDG_CONFIG_HOME="+folder)
	var log strings.Builder
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		cancel()
		return "", nil, err
	}
	stop = func() {
		cmd.Process.Signal(os.Interrupt) // so that nginx ends its workers
		kill := time.AfterFunc(5*time.Second, cancel)
		cmd.Wait()
		kill.Stop()
		cancel()
		os.RemoveAll(folder)
	}
	for start := time.Now(); time.Since(start) < patience; time.Sleep(20 * time.Millisecond) {
		if conn, err := net.Dial("tcp", address); err == nil {
			conn.Close()
			return "ws://" + address, stop, nil
		}
	}
	stop()
	return "", nil, fmt.Errorf("%s does not listen: %.500s", p.name, log.String())
}

// proxyVersion returns the version in what a proxy writes about itself.
func proxyVersion(p proxy) string {
	out, _ := exec.Command(p.path, p.version...).CombinedOutput()
	for word := range strings.FieldsSeq(strings.ReplaceAll(string(out), "/", " ")) {
		word = strings.TrimPrefix(word, "v")
		if word[0] >= '0' && word[0] <= '9' && strings.Contains(word, ".") {
			word, _, _ = strings.Cut(word, "-")
			return word
		}
	}
	return "?"
}
