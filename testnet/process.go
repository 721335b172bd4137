package testnet

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// process is one that this home started. Pids are used again by the system: only
// together with the moment at which it began does one name a process.
type process struct {
	Pid   int    `json:"pid"`
	Began string `json:"began"` // in the system's own words
}

// identify describes a process that is running.
func identify(pid int) (process, error) {
	began, alive := beginning(pid)
	if !alive {
		return process{}, fmt.Errorf("process %d ended at once", pid)
	}
	return process{pid, began}, nil
}

// alive says whether it is still the same process, and has not ended.
func (p process) alive() bool {
	began, alive := beginning(p.Pid)
	return alive && began == p.Began
}

// signal reaches that process or nobody.
func (p process) signal(s syscall.Signal) error {
	if !p.alive() {
		return nil
	}
	if err := syscall.Kill(p.Pid, s); !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return nil
}

// beginning says when a process began; false if there is none, or one that is only
// waiting to be reaped.
func beginning(pid int) (string, bool) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err == nil {
		// "pid (name) state ppid … starttime …": the name may hold anything.
		_, rest, ok := cutLast(string(stat), ") ")
		fields := strings.Fields(rest)
		const state, starttime = 0, 19 // fields 3 and 22 of proc(5)
		if !ok || len(fields) <= starttime || fields[state] == "Z" || fields[state] == "X" {
			return "", false
		}
		return fields[starttime], true
	}
	if _, missing := os.Stat("/proc/self/stat"); missing == nil {
		return "", false
	}
	// A system without /proc.
	out, err := exec.Command("ps", "-o", "stat=,lstart=", "-p", strconv.Itoa(pid)).Output()
	state, began, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
	if err != nil || state == "" || state[0] == 'Z' {
		return "", false
	}
	return strings.TrimSpace(began), true
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// readProcess reads a pid file; false if there is none.
func readProcess(path string) (p process, ok bool, err error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return p, false, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &p)
	}
	if err != nil {
		return p, false, fmt.Errorf("read pid file %s: %w", path, err)
	}
	return p, true, nil
}

func (p process) write(path string) error {
	b, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return writeFile(path, append(b, '\n'), 0o600)
}

// lastLines are the last n lines of text.
func lastLines(text []byte, n int) []string {
	lines := strings.Split(string(bytes.TrimRight(text, "\n")), "\n")
	if len(lines) == 1 && lines[0] == "" {
		return nil
	}
	return lines[max(0, len(lines)-n):]
}
