package evidence

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/meshsec/meshsec/attest/comet"
)

const (
	maxCometKeys  = 100_000
	maxKeysNested = 16
)

// parseCometKeys reads a list of keys: every public key in any JSON, or a text with a
// key on each line, as hex or base64, ed25519 unless its type stands before it with
// a colon. A validator set or light block in protobuf has keys, too.
func parseCometKeys(data []byte) ([]comet.Key, error) {
	if len(data) > MaxFile {
		return nil, ErrSize
	}
	var keys []comet.Key
	var err error
	if text := strings.TrimSpace(string(data)); strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[") {
		err = gatherCometKeys(data, 0, &keys)
	} else {
		err = readCometKeyLines(text, &keys)
		if f, notProto := parseCometProto(data, 0); err != nil && notProto == nil {
			keys, err = f.keys(), nil
		}
	}
	if err == nil && len(keys) == 0 {
		err = errors.New("there is no public key in it")
	}
	return keys, err
}

func readCometKeyLines(text string, keys *[]comet.Key) error {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		algorithm, encoded, typed := strings.Cut(line, ":")
		if !typed {
			algorithm, encoded = "ed25519", line
		}
		key, err := newCometKey(strings.TrimSpace(algorithm), strings.TrimSpace(encoded))
		if err != nil {
			return err
		}
		*keys = append(*keys, key)
	}
	return nil
}

// gatherCometKeys walks through JSON. Keys of other algorithms are passed over.
func gatherCometKeys(raw json.RawMessage, depth int, keys *[]comet.Key) error {
	if depth > maxKeysNested || len(*keys) > maxCometKeys {
		return fmt.Errorf("the keys are nested deeper than %d levels, or more than %d", maxKeysNested, maxCometKeys)
	}
	switch raw = json.RawMessage(strings.TrimSpace(string(raw))); {
	case strings.HasPrefix(string(raw), "["):
		items, err := readCometList(raw, maxCometKeys)
		if err != nil {
			return err
		}
		for _, item := range items {
			if err := gatherCometKeys(item, depth+1, keys); err != nil {
				return err
			}
		}
	case strings.HasPrefix(string(raw), "{"):
		o, err := readCometObject(raw)
		if err != nil {
			return err
		}
		return gatherFromObject(o, depth, keys)
	}
	return nil
}

func gatherFromObject(o cometObject, depth int, keys *[]comet.Key) error {
	key, err := readCometKey(o)
	if err == nil {
		*keys = append(*keys, key)
		return nil
	}
	if !errors.Is(err, errNoKey) {
		return nil
	}
	f := cometFields{object: o, err: new(error)}
	if plain := f.get("pubkey"); plain != nil && plain[0] == '"' {
		algorithm := "ed25519"
		if f.has("keytype") {
			algorithm = f.text("keytype")
		}
		if key, err := newCometKey(algorithm, f.text("pubkey")); err == nil {
			*keys = append(*keys, key)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(o)) {
		if err := gatherCometKeys(o[name], depth+1, keys); err != nil {
			return err
		}
	}
	return nil
}
