package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshsec/meshsec/node"
	"github.com/meshsec/meshsec/node/api"
)

const (
	configName  = "config.toml"
	keysFolder  = "keys"
	defaultNode = "http://127.0.0.1:7480"

	// callTimeout bounds one question to a node.
	callTimeout = 30 * time.Second
)

// place is where a node's files are.
type place struct {
	home   string // --home
	config string // --config
}

func (p *place) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&p.home, "home", "", "the node's home folder (default $MESHSEC_HOME, or .meshsec in your home folder)")
	cmd.Flags().StringVar(&p.config, "config", "", "the node's configuration file (default config.toml in its home)")
}

// folder is the node's home.
func (p *place) folder() (string, error) {
	if p.home != "" {
		return p.home, nil
	}
	if dir := os.Getenv("MESHSEC_HOME"); dir != "" {
		return dir, nil
	}
	dir, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("no home folder is known (%w): give one with --home", err)
	}
	return filepath.Join(dir, ".meshsec"), nil
}

// checkHome is an error if a home is something else than a folder, which need not exist.
func checkHome(dir string) error {
	if i, err := os.Stat(dir); err == nil && !i.IsDir() {
		return fmt.Errorf("%s is a file, not a folder: name another one with --home", dir)
	}
	return nil
}

// file is the configuration file, which need not exist.
func (p *place) file() (string, error) {
	if p.config != "" {
		return p.config, nil
	}
	dir, err := p.folder()
	return filepath.Join(dir, configName), err
}

// load reads the configuration, which must exist.
func (p *place) load() (node.Config, error) {
	path, err := p.file()
	if err != nil {
		return node.Config{}, err
	}
	if p.config == "" {
		if err := checkHome(filepath.Dir(path)); err != nil {
			return node.Config{}, err
		}
	}
	c, err := node.LoadConfig(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, fmt.Errorf("%w: make a home with \"meshsec init\", or name the right one with --home", err)
	}
	return c, err
}

// optional reads the configuration; where nobody asked for one and none is at the
// default place, it is nil.
func (p *place) optional() (*node.Config, error) {
	if _, err := p.file(); err != nil {
		return nil, nil // no home folder, as in a container: there is no default place
	}
	c, err := p.load()
	if errors.Is(err, fs.ErrNotExist) && p.home == "" && p.config == "" {
		return nil, nil
	}
	return &c, err
}

// target is the node that a command asks: --node, or that of a configuration.
type target struct {
	place
	node string
}

func (t *target) flags(cmd *cobra.Command) {
	t.place.flags(cmd)
	cmd.Flags().StringVar(&t.node, "node", "", "URL of the node's API (default that of the configuration, or "+defaultNode+")")
}

// found is a node to ask.
type found struct {
	*api.Client
	base   string
	config *node.Config // nil if only the URL is known
}

// find settles which node is meant; it does not ask it anything yet.
func (t *target) find() (*found, error) {
	var config *node.Config
	var err error
	if t.node == "" || t.home != "" || t.config != "" {
		if config, err = t.optional(); err != nil {
			return nil, err
		}
	}
	base := t.node
	switch {
	case base != "":
		if !strings.Contains(base, "://") {
			base = "http://" + base
		}
	case config == nil:
		base = defaultNode
	default:
		if base, err = apiURL(config.API.Listen); err != nil {
			return nil, err
		}
	}
	return &found{api.NewClient(base, &http.Client{Timeout: callTimeout}), strings.TrimRight(base, "/"), config}, nil
}

// apiURL is how a process on the same machine reaches an API that listens there.
func apiURL(listen string) (string, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "", fmt.Errorf("the configuration has no API (api.listen is %q): set it, or name a node with --node", listen)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port), nil
}
