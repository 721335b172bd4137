package evidence

import (
	"github.com/meshsec/meshsec/attest/comet"
)

// readCometSet reads the validators under a name. Those of a genesis call it power.
func readCometSet(f cometFields, name string) *comet.Set {
	items := f.list(comet.MaxValidators, name)
	members := make([]comet.Validator, len(items))
	for i, raw := range items {
		members[i] = readCometValidator(f.item(name, i, raw))
	}
	return comet.NewSet(members)
}

func readCometValidator(f cometFields) comet.Validator {
	v := comet.Validator{
		Power: f.number(64, "votingpower", "power"),
		Named: f.bytes(addressLengths, "address"),
	}
	key, err := readCometKey(f.open("pubkey").object)
	if f.has("pubkeybytes") || f.has("pubkeytype") { // v1
		if key, err = newCometKey(f.text("pubkeytype"), f.text("pubkeybytes")); f.has("pubkey") {
			f.fail("pub_key", "given in two forms")
		}
	}
	if err != nil {
		f.fail("pub_key", "%v", err)
	}
	v.Key, v.Address = key, key.Address()
	return v
}
