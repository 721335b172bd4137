package guard

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

const (
	headName    = "head.json"
	headNewName = "head.json.tmp"
	logPrefix   = "log-"
)

// headSeal is what the head is chained to, so that a line of the log never passes for one.
var headSeal = chainHash(digest{}, []byte("meshsec/guard/head"))

// head says which log counts, how much of it is acknowledged, and what its last hash is.
type head struct {
	Version    int     `json:"version"`
	Generation decimal `json:"generation"`
	Count      decimal `json:"count"`
	Last       digest  `json:"last"`
}

// logName returns the name of the log that the head is about.
func (h head) logName() string {
	return fmt.Sprintf("%s%010d.jsonl", logPrefix, uint64(h.Generation))
}

func encodeHead(h head) ([]byte, error) {
	body, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	line, _ := seal(headSeal, body)
	return append(line, '\n'), nil
}

// decodeHead accepts exactly what encodeHead returns, for a log that has a genesis.
func decodeHead(data []byte) (head, error) {
	line, ok := bytes.CutSuffix(data, []byte{'\n'})
	if !ok {
		return head{}, errors.New("the last newline is missing")
	}
	body, _, err := unseal(headSeal, line)
	if err != nil {
		return head{}, err
	}
	var h head
	if err := json.Unmarshal(body, &h); err != nil {
		return head{}, err
	}
	again, err := encodeHead(h)
	if err != nil {
		return head{}, err
	}
	switch {
	case !bytes.Equal(again, data):
		return head{}, errors.New("not in canonical form")
	case h.Version != formatVersion:
		return head{}, fmt.Errorf("version %d is unknown, this program knows %d", h.Version, formatVersion)
	case h.Count == 0:
		return head{}, errors.New("it counts no record")
	}
	return h, nil
}
