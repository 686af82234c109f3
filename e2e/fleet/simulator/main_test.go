package simulator

import (
	"testing"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }
