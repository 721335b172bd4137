package testnet

import (
	"os/exec"
	"strings"
	"testing"
)

func TestAdviceCanBePasted(t *testing.T) {
	for _, home := range []string{"/srv/mesh", "/srv/my mesh", "/srv/it's $HOME `here` \"now\"; & \\ *", "/srv/mesh\n2", ""} {
		n := &Testnet{home: home}
		advice := strings.TrimSuffix(strings.TrimPrefix(n.advice("start beta-2"), "`"), "`")
		out, err := exec.Command("sh", "-c", `meshsec() { printf '%s|' "$@"; }; `+advice).Output()
		if want := "testnet|start|beta-2|--home|" + home + "|"; err != nil || string(out) != want {
			t.Errorf("a shell makes %q of %s, not %q: %v", out, advice, want, err)
		}
	}
	if got := (&Testnet{home: "/srv/mesh-2"}).advice("up"); got != "`meshsec testnet up --home /srv/mesh-2`" {
		t.Errorf("quotes that nobody needs: %s", got)
	}
}
