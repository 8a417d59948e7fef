"""Level shares and amounts of earlier applications, one entry per kind (contract type x status).

Source: 49,100 public rows of 10,000 applicants. Shares need not sum to one.
"""

from dataclasses import dataclass, field

Shares = dict[str | None, float]


@dataclass(frozen=True)
class LoanKind:
    """What is known of one kind of earlier application.

    Attributes
    ----------
    credit : tuple of float
        Quantiles of AMT_CREDIT where it is not zero, at `chance.LEVELS`.
    empty : float
        Share without amounts (zero credit, no annuity, term or goods price, XNA everywhere).
    terms : dict
        Shares of CNT_PAYMENT, in months, among rows that have it.
    down : float
        Share of rows that have a down payment column at all.
    """

    contract: str
    status: str
    credit: tuple[float, ...]
    empty: float
    terms: dict[int, float]
    down: float
    yields: Shares
    product: Shares
    channel: Shares
    client: Shares
    payment: Shares
    reject: Shares
    seller: Shares
    suite: Shares
    purpose: Shares
    goods: Shares = field(default_factory=lambda: {"XNA": 1.0})
    sellerplace: tuple[float, ...] = (-1, -1, -1, -1, -1, -1, -1, 10, 35, 200, 1500)
    insured: float = 0.0


_BANK: Shares = {
    "Cash through the bank": 0.887, "XNA": 0.109, "Non-cash from your account": 0.0043,
    "Cashless from the account of the employer": 0.0004,
}  # fmt: skip
_NO_SELLER: Shares = {
    "XNA": 0.91, "Consumer electronics": 0.052, "Connectivity": 0.034, "Furniture": 0.003,
    "MLM partners": 0.001,
}  # fmt: skip
_REPEATER: Shares = {"Repeater": 0.92, "Refreshed": 0.06, "New": 0.018, "XNA": 0.001}
_PURPOSES: Shares = {
    "Repairs": 1.37, "Other": 0.89, "Urgent needs": 0.53, "Buying a used car": 0.20,
    "Everyday expenses": 0.17, "Payments on other loans": 0.15, "Building a house or an annex": 0.15,
    "Medicine": 0.13, "Education": 0.08, "Buying a new car": 0.06, "Buying a holiday home / land": 0.06,
    "Car repairs": 0.05, "Journey": 0.05, "Purchase of electronic equipment": 0.05, "Buying a home": 0.05,
    "Furniture": 0.04, "Wedding / gift / holiday": 0.03, "Business development": 0.03,
    "Gasification / water supply": 0.01, "Hobby": 0.01, "Buying a garage": 0.003,
}  # fmt: skip
_GOODS: Shares = {
    "Mobile": 0.295, "Consumer Electronics": 0.175, "Computers": 0.141, "Audio/Video": 0.140,
    "Furniture": 0.079, "Construction Materials": 0.039, "Clothing and Accessories": 0.038,
    "Photo / Cinema Equipment": 0.033, "Auto Accessories": 0.011, "Jewelry": 0.009, "Homewares": 0.008,
    "Medical Supplies": 0.006, "Vehicles": 0.004, "Gardening": 0.004, "Sport and Leisure": 0.004,
    "Office Appliances": 0.003, "Tourism": 0.003, "Other": 0.003, "Medicine": 0.002, "Direct Sales": 0.0007,
    "Fitness": 0.0005, "Weapon": 0.0003, "Additional Service": 0.0002, "Education": 0.0001,
    "Insurance": 0.0001,
}  # fmt: skip
_SELLERS: Shares = {
    "Consumer electronics": 0.485, "Connectivity": 0.311, "Furniture": 0.082, "Construction": 0.043,
    "Clothing": 0.038, "Industry": 0.025, "Auto technology": 0.008, "Jewelry": 0.005, "MLM partners": 0.002,
    "Tourism": 0.001,
}  # fmt: skip
_SUITE_SHOP: Shares = {
    None: 0.338, "Unaccompanied": 0.291, "Family": 0.229, "Spouse, partner": 0.070, "Children": 0.037,
    "Other_B": 0.021, "Other_A": 0.011, "Group of people": 0.003,
}  # fmt: skip
_SUITE_OFFICE: Shares = {
    None: 0.33, "Unaccompanied": 0.54, "Family": 0.083, "Spouse, partner": 0.028, "Children": 0.010,
    "Other_B": 0.006, "Other_A": 0.004, "Group of people": 0.001,
}  # fmt: skip
_SUITE_NONE: Shares = {None: 0.970, "Unaccompanied": 0.026, "Family": 0.004}
_SHOP_PLACE = (3, 5, 12, 20, 36, 100, 584, 2000, 2642, 4601, 10000)
_XAP: Shares = {"XAP": 1.0}
_XNA: Shares = {"XNA": 1.0}
_CARD = (45000, 45000, 45000, 45000, 67500, 180000, 315000, 450000, 765000, 900000, 1350000)
_CARD_CHANNEL: Shares = {
    "Credit and cash offices": 0.58, "Country-wide": 0.19, "AP+ (Cash loan)": 0.08, "Contact center": 0.07,
    "Regional / Local": 0.045, "Stone": 0.034, "Channel of corporate sales": 0.008,
}  # fmt: skip
_SHOP_CHANNEL: Shares = {
    "Country-wide": 0.576,
    "Stone": 0.282,
    "Regional / Local": 0.142,
    "Car dealer": 0.0005,
}
_CASH_PURPOSE: Shares = {"XNA": 0.913, **{k: v / 44.0 for k, v in _PURPOSES.items()}}
_REFUSED_PURPOSE: Shares = {"XNA": 0.762, **{k: v / 17.5 for k, v in _PURPOSES.items()}}

(
    CASH,
    CASH_CANCELED,
    CASH_REFUSED,
    CONSUMER,
    CONSUMER_REFUSED,
    UNUSED,
    CARD,
    CARD_CANCELED,
    CARD_REFUSED,
    NOTHING,
) = range(10)

KINDS = (
    LoanKind(
        "Cash loans", "Approved",
        (35000, 46480, 57560, 85320, 148400, 275400, 530200, 942300, 1256000, 1792000, 2500000), 0.0,
        {
            12: 0.270, 24: 0.184, 18: 0.139, 36: 0.128, 48: 0.082, 6: 0.077, 60: 0.056, 30: 0.036, 42: 0.017,
            54: 0.006,
        },
        0.12, {"middle": 0.424, "high": 0.277, "low_normal": 0.270, "low_action": 0.028},
        {"x-sell": 0.861, "walk-in": 0.139},
        {
            "Credit and cash offices": 0.772, "Country-wide": 0.094, "AP+ (Cash loan)": 0.067,
            "Contact center": 0.051, "Stone": 0.006, "Regional / Local": 0.005,
            "Channel of corporate sales": 0.004,
        },
        {"Repeater": 0.851, "Refreshed": 0.100, "New": 0.049, "XNA": 0.001}, _BANK, _XAP, _NO_SELLER,
        _SUITE_OFFICE, _CASH_PURPOSE, insured=0.803,
    ),
    LoanKind(
        "Cash loans", "Canceled",
        (45000, 47910, 142100, 185400, 295600, 533200, 978400, 1382000, 1546000, 2421000, 3000000), 0.966,
        {60: 0.25, 36: 0.21, 24: 0.18, 48: 0.15, 12: 0.14, 18: 0.05, 6: 0.02}, 0.0004,
        {"low_normal": 0.45, "middle": 0.32, "high": 0.12, "low_action": 0.11},
        {"x-sell": 0.82, "walk-in": 0.18},
        {
            "Credit and cash offices": 0.868, "Contact center": 0.120, "AP+ (Cash loan)": 0.008,
            "Country-wide": 0.004,
        },
        _REPEATER, {"XNA": 0.988, "Cash through the bank": 0.012}, _XAP,
        {"XNA": 0.994, "Connectivity": 0.006}, _SUITE_NONE, {"XNA": 0.994, "Other": 0.003, "Repairs": 0.003},
        sellerplace=(-1,) * 9 + (0, 4),
    ),
    LoanKind(
        "Cash loans", "Refused",
        (30000, 46530, 82610, 124900, 239800, 473100, 871900, 1340000, 1546000, 2266000, 3000000), 0.170,
        {60: 0.233, 36: 0.189, 24: 0.151, 48: 0.145, 12: 0.131, 18: 0.076, 6: 0.041, 30: 0.019}, 0.067,
        {"low_normal": 0.314, "middle": 0.256, "high": 0.189, "low_action": 0.071},
        {"x-sell": 0.625, "walk-in": 0.375},
        {
            "Credit and cash offices": 0.747, "Contact center": 0.084, "AP+ (Cash loan)": 0.081,
            "Country-wide": 0.062, "Channel of corporate sales": 0.016, "Stone": 0.006,
            "Regional / Local": 0.004,
        },
        _REPEATER, {"Cash through the bank": 0.88, "XNA": 0.115, "Non-cash from your account": 0.005},
        {
            "HC": 0.741, "LIMIT": 0.123, "SCO": 0.071, "SCOFR": 0.037, "VERIF": 0.017, "XNA": 0.010,
            "SYSTEM": 0.0005,
        },
        _NO_SELLER, _SUITE_OFFICE, _REFUSED_PURPOSE,
    ),
    LoanKind(
        "Consumer loans", "Approved",
        (10000, 14760, 19190, 23600, 37460, 68000, 116100, 176800, 242600, 449100, 900000), 0.0,
        {
            12: 0.321, 6: 0.244, 10: 0.196, 24: 0.082, 8: 0.044, 4: 0.038, 18: 0.035, 14: 0.012, 16: 0.007,
            36: 0.010, 3: 0.005,
        },
        1.0, {"high": 0.333, "middle": 0.310, "low_normal": 0.260, "low_action": 0.097}, _XNA, _SHOP_CHANNEL,
        {"Repeater": 0.494, "New": 0.414, "Refreshed": 0.092, "XNA": 0.001},
        {
            "Cash through the bank": 0.866, "XNA": 0.125, "Non-cash from your account": 0.009,
            "Cashless from the account of the employer": 0.001,
        },
        _XAP, _SELLERS, _SUITE_SHOP, _XAP, _GOODS, _SHOP_PLACE, 0.166,
    ),
    LoanKind(
        "Consumer loans", "Refused",
        (10000, 14840, 20480, 26000, 41510, 83000, 141700, 255200, 400300, 824000, 1500000), 0.0,
        {12: 0.260, 10: 0.159, 6: 0.144, 24: 0.096, 18: 0.057, 8: 0.030, 36: 0.021, 4: 0.019}, 0.975,
        {"middle": 0.266, "high": 0.248, "low_normal": 0.223, "low_action": 0.092}, _XNA, _SHOP_CHANNEL,
        {"Repeater": 0.809, "New": 0.129, "Refreshed": 0.060, "XNA": 0.003},
        {"Cash through the bank": 0.858, "XNA": 0.132, "Non-cash from your account": 0.010},
        {"LIMIT": 0.420, "HC": 0.287, "SCO": 0.248, "XNA": 0.027, "VERIF": 0.010, "SCOFR": 0.007}, _SELLERS,
        _SUITE_SHOP, _XAP, _GOODS, _SHOP_PLACE,
    ),
    LoanKind(
        "Consumer loans", "Unused offer",
        (15000, 18330, 21400, 25940, 36510, 62450, 90850, 132200, 146000, 247300, 400000), 0.0,
        {10: 0.85, 4: 0.15}, 0.933, {"low_normal": 0.85, "middle": 0.15}, _XNA,
        {"Country-wide": 0.929, "Stone": 0.048, "Regional / Local": 0.023},
        {"Repeater": 0.745, "Refreshed": 0.172, "New": 0.080, "XNA": 0.003},
        {"Cash through the bank": 0.981, "XNA": 0.018}, {"CLIENT": 1.0},
        {"Connectivity": 0.865, "Consumer electronics": 0.107, "Furniture": 0.015, "Clothing": 0.009},
        {
            None: 0.81, "Unaccompanied": 0.076, "Family": 0.062, "Spouse, partner": 0.031, "Children": 0.012,
            "Other_B": 0.006, "Other_A": 0.004,
        },
        _XAP,
        {
            "Mobile": 0.654, "Computers": 0.180, "Photo / Cinema Equipment": 0.058,
            "Consumer Electronics": 0.041, "Audio/Video": 0.030, "Furniture": 0.015,
        },
        (10, 12, 15, 18, 25, 41, 65, 600, 1240, 3000, 4000),
    ),
    LoanKind(
        "Revolving loans", "Approved", _CARD, 0.0, {0: 1.0}, 0.009, _XNA, {"x-sell": 0.709, "walk-in": 0.291},
        _CARD_CHANNEL, {"Repeater": 0.815, "Refreshed": 0.098, "New": 0.087}, _XNA, _XAP,
        {
            "XNA": 0.716, "Consumer electronics": 0.180, "Connectivity": 0.083, "Furniture": 0.012,
            "Clothing": 0.006,
        },
        {
            None: 0.543, "Unaccompanied": 0.333, "Family": 0.092, "Spouse, partner": 0.021, "Children": 0.004,
            "Other_B": 0.004, "Other_A": 0.002,
        },
        _XAP, sellerplace=(-1, -1, -1, -1, -1, -1, 30, 900, 1590, 3294, 5000), insured=0.005,
    ),
    LoanKind(
        "Revolving loans", "Canceled", _CARD, 0.990, {0: 1.0}, 0.004, _XNA, {"x-sell": 0.5, "walk-in": 0.5},
        {
            "Credit and cash offices": 0.955, "AP+ (Cash loan)": 0.020, "Contact center": 0.019,
            "Country-wide": 0.006,
        },
        _REPEATER, _XNA, _XAP, {"XNA": 0.992, "Connectivity": 0.008}, {None: 0.995, "Unaccompanied": 0.005},
        _XAP, sellerplace=(-1,) * 9 + (0, 30),
    ),
    LoanKind(
        "Revolving loans", "Refused", _CARD, 0.051, {0: 1.0}, 0.030, _XNA,
        {"x-sell": 0.541, "walk-in": 0.459}, _CARD_CHANNEL,
        {"Repeater": 0.867, "Refreshed": 0.088, "New": 0.044, "XNA": 0.001}, _XNA,
        {
            "HC": 0.720, "SCOFR": 0.115, "LIMIT": 0.085, "SCO": 0.050, "XNA": 0.021, "SYSTEM": 0.006,
            "VERIF": 0.004,
        },
        {
            "XNA": 0.785, "Consumer electronics": 0.127, "Connectivity": 0.070, "Furniture": 0.008,
            "Clothing": 0.004,
        },
        {
            None: 0.558, "Unaccompanied": 0.343, "Family": 0.068, "Spouse, partner": 0.018, "Children": 0.008,
            "Other_A": 0.004, "Other_B": 0.002,
        },
        _XAP, sellerplace=(-1, -1, -1, -1, -1, -1, 5, 600, 1245, 3109, 4500),
    ),
    LoanKind(
        "XNA", "Canceled", _CARD, 1.0, {12: 1.0}, 0.0, _XNA, _XNA, {"Credit and cash offices": 1.0},
        _REPEATER, _XNA, _XAP, _XNA, _SUITE_NONE, _XAP,
    ),
)  # fmt: skip

# Shares of the kinds by whole years before the application; columns as KINDS.
BY_YEAR = (
    (0.104, 0.460, 0.140, 0.150, 0.017, 0.012, 0.0, 0.063, 0.034, 0.0006),
    (0.225, 0.210, 0.125, 0.245, 0.033, 0.015, 0.0, 0.041, 0.034, 0.0003),
    (0.375, 0.000, 0.064, 0.400, 0.047, 0.021, 0.0, 0.000, 0.032, 0.0001),
    (0.278, 0.000, 0.061, 0.492, 0.052, 0.024, 0.0, 0.000, 0.027, 0.0001),
    (0.189, 0.000, 0.044, 0.650, 0.056, 0.027, 0.0, 0.000, 0.015, 0.0001),
    (0.138, 0.000, 0.034, 0.686, 0.091, 0.034, 0.0, 0.000, 0.004, 0.0001),
    (0.136, 0.000, 0.047, 0.629, 0.116, 0.006, 0.0, 0.000, 0.009, 0.0001),
    (0.113, 0.000, 0.032, 0.656, 0.100, 0.000, 0.0, 0.000, 0.015, 0.0001),
)
FIRST_LIFT = (0.50, 0.06, 0.12, 1.9, 0.85, 0.5, 0.0, 0.08, 0.25, 0.1)
"""How much likelier a kind is for a client's first request than for later ones of the same year."""

# (annuity x term / credit - 1) / term: quantiles at 5, 25, 50, 75, 95 %; by contract and yield group.
MONTHLY_RATE = {
    "Cash loans": {
        "low_action": (0.0083, 0.0091, 0.0094, 0.0097, 0.0099),
        "low_normal": (0.0103, 0.0119, 0.0141, 0.0146, 0.0156),
        "middle": (0.0166, 0.0174, 0.0206, 0.0234, 0.0258),
        "high": (0.0260, 0.0276, 0.0298, 0.0357, 0.0388),
    },
    "Consumer loans": {
        "low_action": (0.0034, 0.0034, 0.0045, 0.0082, 0.0100),
        "low_normal": (0.0085, 0.0100, 0.0112, 0.0128, 0.0150),
        "middle": (0.0150, 0.0174, 0.0192, 0.0217, 0.0252),
        "high": (0.0272, 0.0327, 0.0356, 0.0383, 0.0419),
    },
}
