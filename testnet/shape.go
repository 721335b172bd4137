package testnet

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Mode is what runs a testnet.
type Mode string

// The modes.
const (
	Processes Mode = "processes"
	Docker    Mode = "docker"
)

// Shape is what [Build] makes. It can't change afterwards.
type Shape struct {
	Mode       Mode
	Chains     int
	Validators int    // of each chain
	Image      string // of the containers; only for Docker
}

// Limits of a shape: what one machine and the vault rules carry.
const (
	MaxChains     = 10
	MaxValidators = 50
)

// DefaultImage is the image that `make image` builds.
const DefaultImage = "meshsec:dev"

var chainNames = [MaxChains]string{"alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa"}

func (s Shape) check() error {
	switch {
	case s.Chains < 1 || s.Chains > MaxChains:
		return fmt.Errorf("%d chains: choose between 1 and %d", s.Chains, MaxChains)
	case s.Validators < 1 || s.Validators > MaxValidators:
		return fmt.Errorf("%d validators: choose between 1 and %d for each chain", s.Validators, MaxValidators)
	case s.Mode != Processes && s.Mode != Docker:
		return fmt.Errorf("mode %q: choose %s or %s", s.Mode, Processes, Docker)
	case s.Mode == Docker && s.Image == "":
		return errors.New("containers need an image: name one, such as " + DefaultImage)
	}
	return nil
}

// String says it to people.
func (s Shape) String() string {
	text := fmt.Sprintf("%d chains with %d validators each", s.Chains, s.Validators)
	if s.Mode == Docker {
		return text + " in containers of " + s.Image
	}
	return text + " as processes"
}

func nodeName(chain string, index int) string { return chain + "-" + strconv.Itoa(index) }

// Service is one process: a devchain, named like its chain, or a node.
type Service struct {
	Name  string
	Chain *Chain
	Node  *Node // nil for a devchain
}

// services are all processes in the order in which they start.
func (t *Testnet) services() []Service {
	var all []Service
	for _, c := range t.Chains {
		all = append(all, Service{c.ID, c, nil})
	}
	for _, c := range t.Chains {
		for _, n := range c.Nodes {
			all = append(all, Service{n.Name, c, n})
		}
	}
	return all
}

func (t *Testnet) devchains() []Service { return t.services()[:len(t.Chains)] }
func (t *Testnet) nodes() []Service     { return t.services()[len(t.Chains):] }

// service finds a process by its name.
func (t *Testnet) service(name string) (Service, error) {
	all := t.services()
	i := slices.IndexFunc(all, func(s Service) bool { return s.Name == name })
	if i < 0 {
		return Service{}, fmt.Errorf("there is no %q: choose one of %s", name, strings.Join(names(all), " "))
	}
	return all[i], nil
}

// chain finds a chain by its id.
func (t *Testnet) chain(id string) (*Chain, error) {
	i := slices.IndexFunc(t.Chains, func(c *Chain) bool { return c.ID == id })
	if i < 0 {
		return nil, fmt.Errorf("there is no chain %q: choose one of %s", id, strings.Join(names(t.devchains()), " "))
	}
	return t.Chains[i], nil
}

func names(services []Service) []string {
	out := make([]string, len(services))
	for i, s := range services {
		out[i] = s.Name
	}
	return out
}
