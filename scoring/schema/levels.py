"""Levels of the categories in the source files: documentation and form choices, never a fence."""

# fmt: off
YES_NO = ("Y", "N")
CONTRACT_TYPES = ("Cash loans", "Revolving loans")
GENDERS = ("F", "M", "XNA")
WEEKDAYS = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
COMPANIONS = (
    "Unaccompanied", "Family", "Spouse, partner", "Children", "Other_A", "Other_B", "Group of people",
)
INCOME_TYPES = (
    "Working", "Commercial associate", "Pensioner", "State servant", "Unemployed", "Student", "Businessman",
    "Maternity leave",
)
EDUCATIONS = (
    "Lower secondary", "Secondary / secondary special", "Incomplete higher", "Higher education",
    "Academic degree",
)
FAMILY_STATUSES = (
    "Married", "Single / not married", "Civil marriage", "Separated", "Widow", "Unknown",
)
HOUSINGS = (
    "House / apartment", "With parents", "Municipal apartment", "Rented apartment", "Office apartment",
    "Co-op apartment",
)
OCCUPATIONS = (
    "Laborers", "Sales staff", "Core staff", "Managers", "Drivers", "High skill tech staff", "Accountants",
    "Medicine staff", "Security staff", "Cooking staff", "Cleaning staff", "Private service staff",
    "Low-skill Laborers", "Secretaries", "Waiters/barmen staff", "Realty agents", "HR staff", "IT staff",
)
ORGANIZATIONS = (
    "Business Entity Type 1", "Business Entity Type 2", "Business Entity Type 3", "Self-employed",
    "XNA", "Other",
    "Advertising", "Agriculture", "Bank", "Cleaning", "Construction", "Culture", "Electricity", "Emergency",
    "Government", "Hotel", "Housing",
    "Industry: type 1", "Industry: type 2", "Industry: type 3", "Industry: type 4", "Industry: type 5",
    "Industry: type 6", "Industry: type 7", "Industry: type 8", "Industry: type 9", "Industry: type 10",
    "Industry: type 11", "Industry: type 12", "Industry: type 13",
    "Insurance", "Kindergarten", "Legal Services", "Medicine", "Military", "Mobile", "Police", "Postal",
    "Realtor",
    "Religion", "Restaurant", "School", "Security", "Security Ministries", "Services", "Telecom",
    "Trade: type 1", "Trade: type 2", "Trade: type 3", "Trade: type 4", "Trade: type 5", "Trade: type 6",
    "Trade: type 7", "Transport: type 1", "Transport: type 2", "Transport: type 3", "Transport: type 4",
    "University",
)
REPAIR_FUNDS = ("reg oper account", "reg oper spec account", "org spec account", "not specified")
HOUSE_TYPES = ("block of flats", "terraced house", "specific housing")
WALLS = ("Panel", "Stone, brick", "Block", "Wooden", "Mixed", "Monolithic", "Others")
EMERGENCY_STATES = ("No", "Yes")

BUREAU_STATUSES = ("Active", "Closed", "Sold", "Bad debt")
CURRENCIES = ("currency 1", "currency 2", "currency 3", "currency 4")
BUREAU_CREDIT_TYPES = (
    "Consumer credit", "Credit card", "Car loan", "Mortgage", "Microloan", "Loan for business development",
    "Another type of loan", "Unknown type of loan", "Loan for working capital replenishment",
    "Cash loan (non-earmarked)", "Real estate loan", "Loan for the purchase of equipment",
    "Loan for purchase of shares (margin lending)", "Mobile operator loan", "Interbank credit",
)
MONTH_STATUSES = ("C", "X", "0", "1", "2", "3", "4", "5")

PREVIOUS_CONTRACT_TYPES = ("Cash loans", "Consumer loans", "Revolving loans", "XNA")
PREVIOUS_STATUSES = ("Approved", "Canceled", "Refused", "Unused offer")
PURPOSES = (
    "XAP", "XNA", "Repairs", "Other", "Urgent needs", "Buying a used car", "Everyday expenses",
    "Payments on other loans", "Building a house or an annex", "Medicine", "Education", "Buying a new car",
    "Buying a holiday home / land", "Car repairs", "Journey", "Purchase of electronic equipment",
    "Buying a home",
    "Furniture", "Wedding / gift / holiday", "Business development", "Gasification / water supply", "Hobby",
    "Buying a garage", "Money for a third person", "Rejection to name the goal",
)
PAYMENT_TYPES = (
    "Cash through the bank", "XNA", "Non-cash from your account", "Cashless from the account of the employer",
)
REJECT_REASONS = ("XAP", "HC", "LIMIT", "SCO", "CLIENT", "SCOFR", "XNA", "VERIF", "SYSTEM")
CLIENT_TYPES = ("Repeater", "New", "Refreshed", "XNA")
GOODS = (
    "XNA", "Mobile", "Consumer Electronics", "Computers", "Audio/Video", "Furniture",
    "Construction Materials",
    "Clothing and Accessories", "Photo / Cinema Equipment", "Auto Accessories", "Jewelry", "Homewares",
    "Medical Supplies", "Vehicles", "Gardening", "Sport and Leisure", "Office Appliances", "Tourism", "Other",
    "Medicine", "Direct Sales", "Fitness", "Weapon", "Additional Service", "Education", "Insurance",
    "Animals",
    "House Construction",
)
PORTFOLIOS = ("POS", "Cash", "XNA", "Cards", "Cars")
PRODUCT_TYPES = ("XNA", "x-sell", "walk-in")
CHANNELS = (
    "Credit and cash offices", "Country-wide", "Stone", "Regional / Local", "Contact center",
    "AP+ (Cash loan)",
    "Channel of corporate sales", "Car dealer",
)
SELLER_INDUSTRIES = (
    "XNA", "Consumer electronics", "Connectivity", "Furniture", "Construction", "Clothing", "Industry",
    "Auto technology", "Jewelry", "MLM partners", "Tourism",
)
YIELD_GROUPS = ("XNA", "middle", "high", "low_normal", "low_action")
PRODUCTS = (
    "Cash", "POS household with interest", "POS mobile with interest", "Cash X-Sell: middle",
    "Cash X-Sell: low",
    "Card Street", "POS industry with interest", "Card X-Sell", "POS household without interest",
    "Cash X-Sell: high", "Cash Street: high", "Cash Street: low", "Cash Street: middle",
    "POS mobile without interest", "POS other with interest", "POS industry without interest",
    "POS others without interest",
)
POS_STATUSES = (
    "Active", "Completed", "Signed", "Demand", "Returned to the store", "Approved", "Amortized debt",
    "Canceled",
    "XNA",
)
CARD_STATUSES = ("Active", "Completed", "Signed", "Demand", "Sent proposal", "Refused", "Approved")
