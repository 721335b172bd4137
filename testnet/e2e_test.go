package testnet_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/meshsec/meshsec/store/ledger"
	"github.com/meshsec/meshsec/testnet"
)

// TestNetworkFromOutside drives the binary as a user or a script
// does, and believes only its --json. MESHSEC_E2E says how the network runs:
// "processes" or "docker". MESHSEC_BIN is the binary to test.
const (
	modeVariable = "MESHSEC_E2E"
	binVariable  = "MESHSEC_BIN"
)

const (
	chains     = 3
	validators = 4
)

// mesh is a testnet seen through the command line.
type mesh struct {
	t      *testing.T
	binary string
	home   string
	docker bool
	layout *testnet.Testnet // names and ports only

	convicted []string // names of validators
}

func TestNetworkFromOutside(t *testing.T) {
	mode := os.Getenv(modeVariable)
	if mode == "" {
		t.Skipf("SKIPPED: the whole network is tested with %s=processes or %s=docker, as .ci/run does", modeVariable, modeVariable)
	}
	m := &mesh{t: t, binary: binary(t), home: filepath.Join(t.TempDir(), "home"), docker: mode == "docker"}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		if t.Failed() {
			m.showLogs()
		}
		if _, err := os.Stat(m.home); err == nil {
			_ = exec.CommandContext(ctx, m.binary, "testnet", "down", "--purge", "--home", m.home).Run() // after a failure: as far as it goes
		}
	})

	m.step("it comes up, and everything counts", m.comesUp)
	m.step("wrong commands get one line", m.refusesWrongCommands)
	m.step("a double vote is slashed on every ledger", func() { m.slashes("double-vote", "double_vote", 1, 2) })
	m.step("an equivocation in a home chain's consensus is slashed on every ledger", func() {
		m.slashes("equivocation", "consensus_equivocation", 2, 3)
	})
	m.step("a killed node comes back", func() { m.survivesKilling("alpha-1") })
	m.step("killed nodes of every chain and a killed home chain come back", func() {
		m.survivesKilling("alpha", "alpha-3", "beta-0", "gamma-1")
	})
	m.step("nobody signed twice but who was made to", m.onlyTheseFaults)
	if m.docker { // which down does not leave to be resumed
		m.step("a wrong epoch is proven by the other chains", m.certifiesWrong)
	}
	m.step("down leaves nothing running", m.goesDown)
	if !m.docker {
		m.step("it resumes", m.resumes)
		m.step("Ctrl-C leaves nothing running", m.interrupts)
		m.step("it resumes again", m.up)
		m.step("a wrong epoch is proven by the other chains", m.certifiesWrong)
		m.step("a purge leaves nothing", m.purges)
	}
}

// certifiesWrong: a whole chain certifies what is wrong, and is halted by all others. It
// is the last thing that a network is good for.
func (m *mesh) certifiesWrong() {
	c := m.layout.Chains[0]
	var report testnet.FaultReport
	if err := json.Unmarshal(m.run("fault", "invalid-transition", "--chain", c.ID, "--json"), &report); err != nil {
		m.t.Fatal(err)
	}
	m.t.Logf("proof %d ms, frozen everywhere %d ms, executed everywhere %d ms",
		report.Milliseconds.Proof, report.Milliseconds.FrozenEverywhere, report.Milliseconds.ExecutedEverywhere)
	if report.Kind != "invalid_transition" || report.Chain != c.ID || 3*len(report.Offenders) <= 2*len(c.Nodes) || len(report.Slashes) == 0 {
		m.t.Errorf("report %+v", report)
	}
	for _, s := range report.Slashes {
		if s.Ledger == c.ID || s.Consumer != c.ID || s.Amount.IsZero() {
			m.t.Errorf("slash %+v", s)
		}
	}
	status := m.status()
	if s := status.Chains[0]; !s.Halted || len(s.HaltReasons) != chains-1 {
		m.t.Errorf("%s is halted: %v, by %v", c.ID, s.Halted, s.HaltReasons)
	}
	for id, why := range status.Chains[0].HaltReasons {
		if why != ledger.HaltRefuted.String() {
			m.t.Errorf("%s has halted it because %s", id, why)
		}
	}
}

func binary(t *testing.T) string {
	if path := os.Getenv(binVariable); path != "" {
		abs, err := filepath.Abs(path)
		if err != nil {
			t.Fatal(err)
		}
		return abs
	}
	path := filepath.Join(t.TempDir(), "meshsec")
	if out, err := exec.Command("go", "build", "-o", path, "../cmd/meshsec").CombinedOutput(); err != nil {
		t.Fatalf("build the binary: %v\n%s", err, out)
	}
	return path
}

func (m *mesh) step(what string, f func()) {
	m.t.Helper()
	began := time.Now()
	f()
	m.t.Logf("%s: %v", what, time.Since(began).Round(100*time.Millisecond))
}

// run runs a testnet command that must succeed.
func (m *mesh) run(args ...string) []byte {
	m.t.Helper()
	out, err := m.try(args...)
	if err != nil {
		m.t.Fatalf("meshsec %s: %v", strings.Join(args, " "), err)
	}
	return out
}

// try runs a testnet command; its error is what it wrote to standard error.
func (m *mesh) try(args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(m.t.Context(), 12*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, m.binary, append([]string{"testnet"}, append(args, "--home", m.home)...)...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		return out.Bytes(), fmt.Errorf("%w: %s", err, errOut.String())
	}
	return out.Bytes(), nil
}

func (m *mesh) status() (s testnet.Status) {
	m.t.Helper()
	if err := json.Unmarshal(m.run("status", "--json"), &s); err != nil {
		m.t.Fatal(err)
	}
	return s
}

// await looks until the status is good; its last complaint is the failure.
func (m *mesh) await(timeout time.Duration, good func(testnet.Status) error) testnet.Status {
	m.t.Helper()
	deadline := time.NewTimer(timeout)
	defer deadline.Stop()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		s := m.status()
		err := good(s)
		if err == nil {
			return s
		}
		select {
		case <-deadline.C:
			m.t.Fatalf("after %v: %v", timeout, err)
		case <-tick.C:
		}
	}
}

func (m *mesh) up() {
	args := []string{"up", "--detach", "--chains", fmt.Sprint(chains), "--validators", fmt.Sprint(validators)}
	if m.docker {
		args = append(args, "--docker")
		if image := os.Getenv("MESHSEC_IMAGE"); image != "" {
			args = append(args, "--image", image)
		}
	}
	m.t.Logf("%s", m.run(args...))
}

func (m *mesh) comesUp() {
	m.up()
	layout, err := testnet.Load(m.home)
	if err != nil {
		m.t.Fatal(err)
	}
	m.layout = layout
	first := m.status()
	if err := errors.Join(agreed(first), allPledged(first), powerCounts(first)); err != nil {
		m.t.Fatal(err)
	}
	m.advances(first)
}

// advances waits until every chain has certified two more epochs.
func (m *mesh) advances(since testnet.Status) testnet.Status {
	return m.await(2*time.Minute, func(s testnet.Status) error {
		for i, c := range s.Chains {
			if c.Epoch < since.Chains[i].Epoch+2 {
				return fmt.Errorf("%s is still at epoch %d", c.ID, c.Epoch)
			}
		}
		return agreed(s)
	})
}

// agreed: every chain has a certificate with more than 2/3 of the power, and every
// node holds that certificate and ledger root.
func agreed(s testnet.Status) error {
	if len(s.Chains) != chains || len(s.Nodes) != chains*validators {
		return fmt.Errorf("%d chains and %d nodes", len(s.Chains), len(s.Nodes))
	}
	for _, c := range s.Chains {
		signed, total := c.SignedPower.Int(), c.TotalPower.Int()
		if c.Epoch == 0 || len(c.Certificate) != 32 || len(c.LedgerRoot) != 32 || c.Halted {
			return fmt.Errorf("chain %+v is not well", c)
		}
		if three, two := signed.Clone(), total.Clone(); !three.Mul(three, ledger.Units(3).Int()).Gt(two.Mul(two, ledger.Units(2).Int())) {
			return fmt.Errorf("%s: %v of %v signed", c.ID, signed, total)
		}
		for _, n := range s.Nodes {
			l := n.Ledgers[c.ID]
			if !n.Ready {
				return fmt.Errorf("%s is not ready", n.Name)
			}
			if l.Epoch != c.Epoch || !bytes.Equal(l.Certificate, c.Certificate) || !bytes.Equal(l.LedgerRoot, c.LedgerRoot) {
				return fmt.Errorf("%s has %+v of %s, not %+v", n.Name, l, c.ID, c)
			}
		}
	}
	return nil
}

// allPledged: every account stands behind itself at home, and behind the validator
// of its index on every other chain.
func allPledged(s testnet.Status) error {
	amounts := map[string]string{}
	for _, l := range s.Liens {
		amounts[l.AccountName+" to "+l.ValidatorName] = l.Amount.String()
	}
	names := []string{"alpha", "beta", "gamma"}
	for _, provider := range names {
		for _, consumer := range names {
			for i := range validators {
				want := "300000"
				if provider == consumer {
					want = "600000"
				}
				pledge := fmt.Sprintf("%s-%d to %s-%d", provider, i, consumer, i)
				if amounts[pledge] != want {
					return fmt.Errorf("pledge of %s is %q, not %s", pledge, amounts[pledge], want)
				}
			}
		}
	}
	return nil
}

// powerCounts: the power of each validator is its own 600,000, and from each other
// chain 300,000 less the discount of 10 %.
func powerCounts(s testnet.Status) error {
	const want = validators * (600_000 + (chains-1)*270_000)
	for _, c := range s.Chains {
		if c.TotalPower != ledger.Units(want) {
			return fmt.Errorf("%s has a power of %v, not %d", c.ID, c.TotalPower, want)
		}
	}
	return nil
}

func (m *mesh) refusesWrongCommands() {
	for _, args := range [][]string{
		{"fault", "double-vote", "--chain", "omega", "--validator", "0"},
		{"fault", "double-vote", "--chain", "beta", "--validator", "4"},
		{"kill", "beta-9"},
		{"start", "nobody"},
		{"up", "--detach", "--chains", "2"},
	} {
		_, err := m.try(args...)
		if err == nil {
			m.t.Errorf("%v succeeded", args)
			continue
		}
		if text := strings.TrimSpace(err.Error()); strings.Count(text, "\n") > 0 {
			m.t.Errorf("%v: more than one line: %s", args, text)
		}
	}
}

// slashes makes a validator of a chain break a rule.
func (m *mesh) slashes(command, kind string, chain, validator int) {
	c := m.layout.Chains[chain]
	offender := c.Nodes[validator]
	args := []string{"fault", command, "--chain", c.ID, "--validator", fmt.Sprint(validator)}
	var report testnet.FaultReport
	if err := json.Unmarshal(m.run(append(args, "--json")...), &report); err != nil {
		m.t.Fatal(err)
	}
	m.t.Logf("proof %d ms, frozen everywhere %d ms, executed everywhere %d ms",
		report.Milliseconds.Proof, report.Milliseconds.FrozenEverywhere, report.Milliseconds.ExecutedEverywhere)
	if report.Kind != kind || report.Chain != c.ID || len(report.Fault) != 32 ||
		!slices.Equal(report.Offenders, []ledger.AccountID{offender.Account}) {
		m.t.Errorf("report %+v", report)
	}
	times := report.Milliseconds
	if times.Proof > 15_000 || times.FrozenEverywhere > 60_000 || times.ExecutedEverywhere > 120_000 ||
		times.Proof > times.FrozenEverywhere || times.FrozenEverywhere > times.ExecutedEverywhere {
		m.t.Errorf("it took %+v ms", times)
	}
	// What each account had agreed to lose: half of 600,000 at home, 0.3 of 300,000 elsewhere.
	lost := map[string]string{"alpha": "90000", "beta": "90000", "gamma": "90000", c.ID: "300000"}
	for _, s := range report.Slashes {
		if s.AccountName != fmt.Sprintf("%s-%d", s.Ledger, validator) || s.Consumer != c.ID || s.Amount.String() != lost[s.Ledger] {
			m.t.Errorf("slash %+v, not %s", s, lost[s.Ledger])
		}
		delete(lost, s.Ledger)
		sum := s.Burned.Int()
		sum.Add(sum, s.Reward.Int()).Add(sum, s.Compensation.Int())
		if !sum.Eq(s.Amount.Int()) {
			m.t.Errorf("burned + reward + compensation of %+v is %v", s, sum)
		}
	}
	if len(lost) > 0 {
		m.t.Errorf("no slash on %v", lost)
	}
	m.await(time.Minute, agreed)
	m.convicted = append(m.convicted, offender.Name)
	m.liensAfterFaults()
	if _, err := m.try(args...); err == nil {
		m.t.Error("a convicted validator was convicted again")
	}
}

// liensAfterFaults: only what stood behind the convicted lost anything, and nothing is
// frozen any more.
func (m *mesh) liensAfterFaults() {
	for _, l := range m.status().Liens {
		want := "0"
		if slices.Contains(m.convicted, l.ValidatorName) {
			if want = "90000"; strings.HasPrefix(l.ValidatorName, l.Ledger+"-") {
				want = "300000"
			}
		}
		if l.Slashed.String() != want || !l.Frozen.IsZero() {
			m.t.Errorf("lien %+v: slashed %v, not %s; frozen %v, not 0", l, l.Slashed, want, l.Frozen)
		}
	}
}

// survivesKilling kills all of them, then starts them again.
func (m *mesh) survivesKilling(names ...string) {
	before := m.status()
	for _, name := range names {
		m.run("kill", name)
	}
	s := m.status()
	for _, n := range s.Nodes {
		if slices.Contains(names, n.Name) && (n.Ready || len(n.Ledgers) > 0) {
			m.t.Errorf("%s was killed and still answers", n.Name)
		}
	}
	if len(names) == 1 { // three of four go on without it
		m.await(time.Minute, func(s testnet.Status) error {
			for i, c := range s.Chains {
				if c.Epoch < before.Chains[i].Epoch+2 {
					return fmt.Errorf("%s stands still at epoch %d without %s", c.ID, c.Epoch, names[0])
				}
			}
			return nil
		})
	}
	for _, name := range names {
		m.run("start", name)
	}
	m.advances(m.await(2*time.Minute, agreed))
}

// onlyOneFault: a validator that signed twice would have been reported by every
// node.
func (m *mesh) onlyTheseFaults() {
	type fault struct{ Kind, Chain string }
	for _, c := range m.layout.Chains {
		for _, n := range c.Nodes {
			out, err := exec.CommandContext(m.t.Context(), m.binary, "fault", "list", "--json", "--node", "http://"+n.API).Output()
			var faults []fault
			if err == nil {
				err = json.Unmarshal(out, &faults)
			}
			slices.SortFunc(faults, func(a, b fault) int { return strings.Compare(a.Chain, b.Chain) })
			if err != nil || !slices.Equal(faults, []fault{{"double_vote", "beta"}, {"consensus_equivocation", "gamma"}}) {
				m.t.Errorf("%s knows of %+v, %v", n.Name, faults, err)
			}
		}
	}
}

func (m *mesh) goesDown() {
	m.run("down")
	m.silent()
	if !m.docker {
		return
	}
	if _, err := os.Stat(m.home); err == nil {
		m.t.Error("the home with its keys is still there")
	}
	for _, list := range [][]string{{"ps", "-a"}, {"network", "ls"}, {"volume", "ls"}} {
		args := append(list, "-q", "--filter", "label=com.docker.compose.project="+m.layout.Project)
		if out, err := exec.CommandContext(m.t.Context(), "docker", args...).Output(); err != nil || len(out) > 0 {
			m.t.Errorf("docker %v: %s, %v", list, out, err)
		}
	}
}

// silent: nobody listens any more.
func (m *mesh) silent() {
	m.t.Helper()
	for _, c := range m.layout.Chains {
		addresses := []string{c.RPC}
		for _, n := range c.Nodes {
			addresses = append(addresses, n.API, n.P2P)
		}
		for _, a := range addresses {
			if conn, err := net.DialTimeout("tcp", a, time.Second); err == nil {
				conn.Close()
				m.t.Errorf("somebody still listens at %s", a)
			}
		}
	}
}

// resumes: what was slashed stays slashed, what was pledged is not pledged again.
func (m *mesh) resumes() {
	m.up()
	m.await(time.Minute, agreed)
	m.liensAfterFaults()
	m.onlyTheseFaults()
}

// interrupts: somebody watches, and is impatient when it ends.
func (m *mesh) interrupts() {
	ctx, cancel := context.WithTimeout(m.t.Context(), 12*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, m.binary, "testnet", "up", "--home", m.home)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		m.t.Fatal(err)
	}
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if strings.HasPrefix(lines.Text(), "ready after") {
				close(ready)
			}
		}
		ended <- cmd.Wait()
	}()
	select {
	case <-ready:
	case err := <-ended:
		m.t.Fatalf("up ended before it was ready: %v", err)
	}
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		select {
		case <-again.C:
			_ = cmd.Process.Signal(os.Interrupt) // fails once it has ended
		case err := <-ended:
			if err != nil {
				m.t.Errorf("up ended with %v", err)
			}
			m.silent()
			return
		}
	}
}

func (m *mesh) purges() {
	m.run("down", "--purge")
	if _, err := os.Stat(m.home); err == nil {
		m.t.Error("the home is still there after --purge")
	}
}

// showLogs is for a run that failed where nobody can look.
func (m *mesh) showLogs() {
	logs, err := filepath.Glob(filepath.Join(m.home, "logs", "*.log"))
	if err != nil {
		return
	}
	for _, path := range logs {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		m.t.Logf("%s\n%s", filepath.Base(path), strings.Join(lines[max(0, len(lines)-15):], "\n"))
	}
}
