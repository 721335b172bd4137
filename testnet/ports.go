package testnet

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports are taken below the range from which systems hand out ports of outgoing
// connections. Above, the port of a node that is down is soon somebody's, and be
// it that of a neighbour who dialled it and got connected to himself.
const (
	lowestPort  = 10_000
	highestPort = 30_000
)

// freePorts finds n loopback addresses on which nobody listens.
func freePorts(n int) ([]string, error) {
	var out []string
	span := highestPort - lowestPort
	start := rand.IntN(span)
	var open []net.Listener
	defer func() {
		for _, l := range open {
			l.Close()
		}
	}()
	for i := 0; i < span && len(out) < n; i++ {
		addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(lowestPort+(start+i)%span))
		l, err := net.Listen("tcp", addr)
		if err != nil {
			continue // taken
		}
		open = append(open, l) // until all are found, so that none comes twice
		out = append(out, addr)
	}
	if len(out) < n {
		return nil, fmt.Errorf("no %d free TCP ports between %d and %d on 127.0.0.1", n, lowestPort, highestPort)
	}
	return out, nil
}

// portOf is the number in host:port, which came from freePorts.
func portOf(addr string) string {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		panic(fmt.Sprintf("testnet: %q is no address: %v", addr, err)) // Load and Build have none such
	}
	return port
}
